"""Kill a whole tiny study -9 again and again, drivers and stage processes, and compare every byte at the end.

    python scripts/soak_kill.py --kills 200                  # inline, two workers
    python scripts/soak_kill.py --kills 100 --engine ray     # needs the extra 'ray'
    python scripts/soak_kill.py --kills 300 --hollow         # stages without training: more kills in the engine itself

The study has the grid of recipes/quickstart.yaml on backbones, data and trainings that are tiny. One that is complete
is verified and a new one begins, until the number of kills is reached. Ends with exit code 1 if a store was damaged, a
finished stage was made again, a stage is missing or failed, or any file (the report included) differs from an
undisturbed run of the default engine. Files that hold seconds (log.jsonl, stage.json, pretraining.json, train.jsonl)
are not compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))

import tiny_study

HOLLOW = Path(__file__).parents[1] / "tests" / "unit" / "engines" / "engine_fakes.py"

DRIVER, STAGE_PROCESS = "driver", "stage process"

DRIVER_SHARE = 1 / 3
"""Of all kills."""

TOO_BUSY = "no cluster could be started"
"""What a driver says where Ray's own processes took longer to start than Ray waits: the user starts again."""

SPARED = 2
"""A stage that lost its process three times counts as failed, so one driver loses at most this many of its own."""


def main() -> int:
    """Run the soak and print one line per study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engine", choices=("inline", "ray"), default="inline")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=20.0, help="longest pause before a kill, in seconds")
    parser.add_argument("--small", action="store_true", help="25 stages instead of the whole grid")
    parser.add_argument("--hollow", action="store_true", help="240 stages that write a few bytes and need no torch")
    parser.add_argument("--folder", type=Path, help="stays, with its undisturbed study; default: a temporary one")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        return Soak(arguments.folder.absolute(), arguments).run()
    with tempfile.TemporaryDirectory() as name:
        return Soak(Path(name), arguments).run()


class Soak:
    """One soak: an undisturbed study, then studies that are killed."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.arguments = folder, arguments
        self.rng = np.random.default_rng(arguments.seed)
        self.problems: list[str] = []
        self.kills = {DRIVER: 0, STAGE_PROCESS: 0}
        self.starts = 0

    def run(self) -> int:
        """Everything; returns the exit code."""
        text = tiny_study.recipe("soak") if self.arguments.small else tiny_study.quickstart_grid("soak")
        for left in ("data", *(path.name for path in self.folder.glob("study*"))):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        tiny_study.write_study(self.folder, soak=text)
        started = time.perf_counter()
        self.undisturbed = self.start("undisturbed", "inline")  # beside the first study
        study = 0
        while not self.enough and not self.problems:
            study += 1
            self.disturb(f"study{study}")
            seconds = time.perf_counter() - started
            print(f"study {study}: {self.kills}, {len(self.problems)} problems, {seconds:.0f} s", flush=True)
        for problem in self.problems:
            print(f"problem: {problem}")
        stages = len(Store(self.folder / "undisturbed").completed())
        result = {"engine": self.arguments.engine, "stages": stages, "kills": self.kills, "studies": study}
        print(json.dumps({**result, "problems": len(self.problems), "seconds": round(time.perf_counter() - started)}))
        return 1 if self.problems else 0

    @property
    def enough(self) -> bool:
        """Whether there were enough kills."""
        return sum(self.kills.values()) >= self.arguments.kills

    def disturb(self, name: str) -> None:
        """Run one study to its end through all kills, then compare it with the undisturbed one."""
        store = Store(self.folder / name)
        committed: dict[str, int] = {}
        while True:
            code = self.torment(self.start(name, self.arguments.engine))
            for key, folder in store.completed().items():
                inode = folder.stat().st_ino
                if committed.setdefault(key, inode) != inode:
                    self.problems.append(f"{name}: {folder.name} was made twice")
            if code == 0:
                break
            if code == 2 and TOO_BUSY in self.last_words(name):
                continue
            if code > 0:
                self.problems.append(f"{name}: exit code {code}: {self.last_words(name)}")
                return
        print(f"{name} is complete after {self.kills} and {self.starts} starts", flush=True)
        if self.undisturbed.wait() != 0:
            self.problems.append(f"the undisturbed study failed: {self.last_words('undisturbed')}")
            return
        expected = tiny_study.contents(self.folder / "undisturbed")
        found = tiny_study.contents(store.root)
        different = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        self.problems += [f"{name}: {path} differs" for path in different[:5]]
        self.problems += [f"{name}: {damage.path.name}: {damage.what}" for damage in audit(store).damaged]
        left = [path for word in ("damaged", "failed") for path in (store.root / word).glob("*")]
        self.problems += [f"{name}: {path.relative_to(store.root)} is there" for path in left]

    def torment(self, driver: subprocess.Popen[bytes]) -> int:
        """Kill stage processes now and then until the driver is killed or done; returns its exit code."""
        mine = 0
        while not self.enough:
            try:
                return driver.wait(timeout=self.pause())
            except subprocess.TimeoutExpired:
                pass
            processes = stage_processes(driver.pid) if mine < SPARED else []
            if self.rng.random() < DRIVER_SHARE or not processes:
                driver.kill()
                self.kills[DRIVER] += 1
                return driver.wait()
            try:
                os.kill(int(self.rng.choice(processes)), signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.kills[STAGE_PROCESS] += 1
            mine += 1
        return driver.wait()

    def pause(self) -> float:
        """Seconds before the next kill: as many between 0.1 and 1 as between 1 and 10."""
        return float(np.exp(self.rng.uniform(np.log(0.1), np.log(self.arguments.longest))))

    def start(self, store: str, engine: str) -> subprocess.Popen[bytes]:
        """Start the recipe on this store."""
        jobs = str(self.arguments.jobs)
        command = tiny_study.command("soak", store, "--jobs", jobs, "--engine", engine)
        if self.arguments.hollow:
            command = [sys.executable, str(HOLLOW), store, f"{store}.runs", jobs, "0.05", "60", engine]
        self.starts += 1
        with (self.folder / f"{store}.log").open("wb") as log:
            return subprocess.Popen(command, cwd=self.folder, env=tiny_study.environment(), stdout=log, stderr=log)

    def last_words(self, store: str) -> str:
        """The end of what the last driver on this store printed."""
        return (self.folder / f"{store}.log").read_text(errors="replace")[-2000:]


def stage_processes(driver: int) -> list[int]:
    """Processes below the driver that run stages: workers of the inline engine, or busy ones of Ray."""
    found, queue = [], [driver]
    while queue:
        process = queue.pop()
        try:
            below = [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
            words = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        queue += below
        if process != driver and (b"engines.worker" in words or words.startswith(b"ray::run_remote")):
            found.append(process)
    return found


if __name__ == "__main__":
    sys.exit(main())
