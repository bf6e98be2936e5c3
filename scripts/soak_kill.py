"""Kill a whole tiny study -9 again and again, drivers and stage processes, and compare every byte at the end.

    python scripts/soak_kill.py --kills 200                  # inline, two workers
    python scripts/soak_kill.py --kills 100 --engine ray     # needs the extra 'ray'
    python scripts/soak_kill.py --kills 300 --hollow         # stages without training: more kills in the engine itself
    python scripts/soak_kill.py --kills 200 --folder soak --minutes 10    # a piece of it; exit code 75: not all yet
    python scripts/soak_kill.py --kills 200 --folder soak --minutes 10 --resume

The study has the grid of recipes/quickstart.yaml on backbones, data and trainings that are tiny. One that is complete
is verified and a new one begins, until the number of kills is reached; the last one is then run to its end. With Ray
one cluster of this machine outlives the drivers, and a part of the drivers (``--cold``) starts its own. Ends with exit
code 1 if a store was damaged at any moment, a finished stage was made again, a stage is missing or failed, or any file
(the report included) differs from an undisturbed run of the default engine. Files that hold seconds (log.jsonl,
stage.json, pretraining.json, train.jsonl) are not compared.
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
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from soak_processes import Cluster, ray_cluster, stage_processes

from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))

import tiny_study

HOLLOW = Path(__file__).parents[1] / "tests" / "unit" / "engines" / "engine_fakes.py"

STATE = "soak.json"

DRIVER, STAGE_PROCESS = "driver", "stage process"

DRIVER_SHARE = 1 / 3
"""Of all kills where there is a stage process to kill."""

TOO_BUSY = "no cluster could be started"
"""What a driver says where Ray's own processes took longer to start than Ray waits: the user starts again."""

SPARED = 2
"""A stage that lost its process three times counts as failed, so one driver loses at most this many of its own."""

MOMENTS = {"any moment": 0.25, "a stage runs": 0.35, "a stage was finished": 0.4}
"""What is waited for before the clock of a driver's first kill starts, and how often: otherwise most kills would meet
processes that still start."""

LOOK_S = 0.05

NOT_YET = 75
"""Exit code of a piece that ended in time: run again with ``--resume``."""


@dataclass(kw_only=True)
class State:
    """What one piece hands to the next.

    Attributes:
        kills: by what was killed.
        at: kills of drivers by the moment of `MOMENTS`.
        starts: of drivers.
        studies: begun.
        committed: stage -> identity of its folder in the study that goes on.
        seconds: of all pieces.
        problems: everything that should not be.
    """

    kills: dict[str, int] = field(default_factory=lambda: {DRIVER: 0, STAGE_PROCESS: 0})
    at: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MOMENTS, 0))
    starts: int = 0
    studies: int = 1
    committed: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def main(words: Sequence[str] | None = None) -> int:
    """Run the soak, or a piece of it, and print one line per study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engine", choices=("inline", "ray"), default="inline")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=10.0, help="longest pause before a kill, in seconds")
    parser.add_argument("--cold", type=float, default=0.1, help="part of Ray's drivers that start their own cluster")
    parser.add_argument("--small", action="store_true", help="25 stages instead of the whole grid; 16 if hollow")
    parser.add_argument("--hollow", action="store_true", help="240 stages that write a few bytes and need no torch")
    parser.add_argument("--folder", type=Path, help="stays, with its undisturbed study; default: a temporary one")
    parser.add_argument("--minutes", type=float, default=0.0, help="of this piece; 0 (default) for all in one piece")
    parser.add_argument("--resume", action="store_true", help="go on with what is in --folder")
    arguments = parser.parse_args(words)
    if (arguments.resume or arguments.minutes) and arguments.folder is None:
        parser.error("--minutes and --resume need --folder")
    with ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return Soak(folder.absolute(), arguments).run()


class Soak:
    """One soak: an undisturbed study, then studies that are killed."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.arguments = folder, arguments
        self.state = State()
        if arguments.resume:
            self.state = State(**json.loads((folder / STATE).read_text()))
        else:
            for left in ("data", STATE, *(path.name for path in folder.glob("study*"))):
                path = folder / left
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            text = tiny_study.recipe("soak") if arguments.small else tiny_study.quickstart_grid("soak")
            tiny_study.write_study(folder, soak=text)
        self.rng = np.random.default_rng([arguments.seed, self.state.starts])
        self.cluster: Cluster | None = None
        self.began = time.monotonic()
        self.before = self.state.seconds

    def run(self) -> int:
        """Everything, or one piece; returns the exit code."""
        if self.start("undisturbed", "inline").wait() != 0:
            self.state.problems.append(f"the undisturbed study failed: {self.last_words('undisturbed')}")
        with ExitStack() as stack:
            if self.arguments.engine == "ray":
                self.cluster = stack.enter_context(ray_cluster(self.folder, self.arguments.jobs))
            complete = True
            while complete and not self.state.problems and not (self.enough and not self.state.committed):
                complete = self.disturb(f"study{self.state.studies}")
                if complete:
                    self.state.studies += 1
                    self.state.committed = {}
                self.save()
        for problem in self.state.problems:
            print(f"problem: {problem}")
        facts = {key: value for key, value in asdict(self.state).items() if key != "committed"}
        stages = len(Store(self.folder / "undisturbed").completed())
        facts |= {"engine": self.arguments.engine, "stages": stages, "studies": self.state.studies - 1}
        print(json.dumps({**facts, "problems": len(self.state.problems)}), flush=True)
        return 1 if self.state.problems else (0 if complete else NOT_YET)

    @property
    def enough(self) -> bool:
        """Whether there were enough kills."""
        return sum(self.state.kills.values()) >= int(self.arguments.kills)

    @property
    def late(self) -> bool:
        """Whether this piece is over."""
        return 0 < 60 * float(self.arguments.minutes) < time.monotonic() - self.began

    def disturb(self, name: str) -> bool:
        """Run one study through all kills, to its end or the piece's; whether it is complete."""
        store = Store(self.folder / name)
        while not self.late:
            code = self.torment(name)
            self.look_through(store)
            self.save()
            if self.state.problems:
                return False
            if code == 0:
                break
            if code == 2 and TOO_BUSY in self.last_words(name):
                continue
            if code > 0:
                self.state.problems.append(f"{name}: exit code {code}: {self.last_words(name)}")
                return False
        else:
            return False
        expected = tiny_study.contents(self.folder / "undisturbed")
        found = tiny_study.contents(store.root)
        different = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        self.state.problems += [f"{name}: {path} differs" for path in different[:5]]
        left = [path for word in ("damaged", "failed") for path in (store.root / word).glob("*")]
        self.state.problems += [f"{name}: {path.relative_to(store.root)} is there" for path in left]
        told = f"{self.state.kills}, {self.state.starts} starts, {len(self.state.problems)} problems"
        print(f"{name} is complete: {told}, {self.state.seconds:.0f} s", flush=True)
        if not self.state.problems:
            shutil.rmtree(store.root)
        return True

    def look_through(self, store: Store) -> None:
        """After every driver: nothing is damaged, and nothing that was finished has been made again."""
        if not store.root.is_dir():
            return
        for key, folder in store.completed().items():
            facts = folder.stat()
            identity = [facts.st_ino, facts.st_mtime_ns]
            if self.state.committed.setdefault(key, identity) != identity:
                self.state.problems.append(f"{store.root.name}: {folder.name} was made twice")
        gone = self.state.committed.keys() - store.completed().keys()
        self.state.problems += [f"{store.root.name}: {key} is gone" for key in sorted(gone)]
        if (store.root / "store.json").exists():  # a driver may die before it made the store
            self.state.problems += [
                f"{store.root.name}: {damage.path.name}: {damage.what}" for damage in audit(store).damaged
            ]

    def torment(self, name: str) -> int:
        """Start a driver; kill stage processes now and then until it is killed or done; returns its exit code."""
        cold = self.cluster is None or self.rng.random() < self.arguments.cold
        driver = self.start(name, self.arguments.engine, cold=cold)
        moment = str(self.rng.choice(list(MOMENTS), p=list(MOMENTS.values())))
        code = self.wait_for(moment, Store(self.folder / name), driver)
        mine = 0
        while code is None and not self.enough:
            try:
                return driver.wait(timeout=self.pause())
            except subprocess.TimeoutExpired:
                pass
            roots = [driver.pid, *([self.cluster.process_id] if self.cluster and not cold else [])]
            processes = stage_processes(*roots) if mine < SPARED else []
            if self.rng.random() < DRIVER_SHARE or not processes or self.late:
                driver.kill()
                self.state.kills[DRIVER] += 1
                self.state.at[moment] += 1
                return driver.wait()
            try:
                os.kill(int(self.rng.choice(processes)), signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.state.kills[STAGE_PROCESS] += 1
            mine += 1
        return driver.wait() if code is None else code

    def wait_for(self, moment: str, store: Store, driver: subprocess.Popen[bytes]) -> int | None:
        """Wait for this moment in the life of a driver; its exit code if it ended before."""
        before = len(store.completed())
        scratch = store.root / ".scratch"
        old = {path.name for path in scratch.iterdir()} if scratch.is_dir() else set()
        while driver.poll() is None and not self.enough:
            running = scratch.is_dir() and any(path.name not in old for path in scratch.iterdir())
            finished = len(store.completed()) > before
            if moment == "any moment" or finished or (moment == "a stage runs" and running):
                return None
            time.sleep(LOOK_S)
        return driver.poll()

    def pause(self) -> float:
        """Seconds before the next kill: as many between 0.1 and 1 as between 1 and 10."""
        return float(np.exp(self.rng.uniform(np.log(0.1), np.log(self.arguments.longest))))

    def start(self, store: str, engine: str, *, cold: bool = True) -> subprocess.Popen[bytes]:
        """Start the recipe on this store; ``cold`` without the cluster that is there."""
        jobs = str(self.arguments.jobs)
        there = [] if cold or self.cluster is None else ["--engine-set", f"address={self.cluster.address}"]
        options = ["--jobs", jobs, "--engine", engine, *there]
        command = tiny_study.command("soak", store, *options)
        if self.arguments.hollow:
            address = there[1:] and [there[1].partition("=")[2]]
            diamonds = "4" if self.arguments.small else "60"  # of four stages each
            command = [sys.executable, str(HOLLOW), store, f"{store}.runs", jobs, "0.05", diamonds, engine, *address]
        self.state.starts += store != "undisturbed"
        environment = {**tiny_study.environment(), **(self.cluster.environment if there and self.cluster else {})}
        with (self.folder / f"{store}.log").open("wb") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def last_words(self, store: str) -> str:
        """The end of what the last driver on this store printed."""
        return (self.folder / f"{store}.log").read_text(errors="replace")[-2000:]

    def save(self) -> None:
        """Keep the state for the next piece."""
        self.state.seconds = round(self.before + time.monotonic() - self.began, 1)
        (self.folder / STATE).write_text(json.dumps(asdict(self.state), indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
