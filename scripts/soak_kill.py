"""Kill a whole tiny study -9 again and again, drivers and stage processes, and compare every byte at the end.

    python scripts/soak_kill.py --kills 300                  # inline, two workers
    python scripts/soak_kill.py --kills 100 --engine ray     # needs the extra 'ray'

A study that is complete is verified and a new one begins, until the number of kills is reached. Ends with exit code 1
if a store was damaged, a finished stage was made again, a stage is missing, or any file (the report included) differs
from an undisturbed run. Files that hold seconds (log.jsonl, stage.json, pretraining.json) are not compared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: soak
title: A study that is killed
backbones: [small]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
pretrain:
  corpus: {languages: [en, de], vocabulary: 400, alphabet: 60, holdout: 0.05, sequence_length: 32}
  series:
    small: {hidden: 16, layers: 2, heads: 2}
  tokens: 20000
  batch_sequences: 16
  learning_rate: 1e-3
  dtype: fp32
train:
  default: {batch_size: 8, steps: 6, learning_rate: 1e-3, max_length: 48}
tasks:
  world-nli: {train_examples: 48, dev_examples: 8}
  world-xnli: {train_examples: 48, dev_examples: 8, test_examples: 16}
  world-retrieval: {test_examples: 16}
controls: true
statistics: {resamples: 100}
"""

TIMED = {"stage.json", "log.jsonl", "pretraining.json"}


def main() -> int:
    """Run the soak and print one line per study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engine", choices=("inline", "ray"), default="inline")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=20.0, help="longest pause before a kill, in seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return Soak(Path(name), arguments).run()


class Soak:
    """One soak: an undisturbed study, then studies that are killed."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.arguments = folder, arguments
        self.rng = np.random.default_rng(arguments.seed)
        self.problems: list[str] = []
        self.kills = {"driver": 0, "stage process": 0}

    def run(self) -> int:
        """Everything; returns the exit code."""
        write_texts(self.folder)
        started = time.perf_counter()
        undisturbed = self.start("undisturbed")
        if undisturbed.wait() != 0:
            print("the undisturbed study failed")
            return 1
        expected = contents(self.folder / "undisturbed")
        print(f"undisturbed: {len(expected):,} files, {time.perf_counter() - started:.0f} s", flush=True)
        study = 0
        while sum(self.kills.values()) < self.arguments.kills and not self.problems:
            study += 1
            self.disturb(f"study{study}", expected)
            print(f"study {study}: {self.kills}, {len(self.problems)} problems", flush=True)
        for problem in self.problems:
            print(f"problem: {problem}")
        print(json.dumps({"kills": self.kills, "studies": study, "problems": len(self.problems)}))
        return 1 if self.problems else 0

    def disturb(self, name: str, expected: dict[str, bytes]) -> None:
        """Run one study to its end through all kills, then compare it with the undisturbed one."""
        store = Store(self.folder / name)
        committed: dict[str, int] = {}
        while True:
            driver = self.start(name)
            code = self.torment(driver)
            for key, folder in store.completed().items():
                inode = folder.stat().st_ino
                if committed.setdefault(key, inode) != inode:
                    self.problems.append(f"{name}: {folder.name} was made twice")
            if code == 0:
                break
            if code > 0:
                self.problems.append(f"{name}: exit code {code}: {(self.folder / 'log').read_text()[-2000:]}")
                return
        found = contents(self.folder / name)
        different = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        self.problems += [f"{name}: {path} differs" for path in different[:5]]
        self.problems += [f"{name}: {damage.path.name}: {damage.what}" for damage in audit(store).damaged]
        if (store.root / "damaged").exists():
            self.problems.append(f"{name}: a folder was damaged and set aside")

    def torment(self, driver: subprocess.Popen[bytes]) -> int:
        """Kill stage processes now and then, and the driver one time in three; returns its exit code."""
        stage_kills = 0
        while sum(self.kills.values()) < self.arguments.kills:
            try:
                return driver.wait(timeout=float(self.rng.uniform(0.05, self.arguments.longest)))
            except subprocess.TimeoutExpired:
                pass
            # A stage that lost its process three times counts as failed, so a driver sees two of its own at most.
            workers = stage_processes(driver.pid) if stage_kills < 2 else []
            if workers and self.rng.random() < 0.67:
                victim, kind = int(self.rng.choice(workers)), "stage process"
                stage_kills += 1
            else:
                victim, kind = driver.pid, "driver"
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.kills[kind] += 1
            if kind == "driver":
                return driver.wait()
        return driver.wait()

    def start(self, store: str) -> subprocess.Popen[bytes]:
        """Start the recipe on this store."""
        command = [sys.executable, "-m", "adapterxfer.cli", "run", "soak.yaml", "--set", "data_root=data"]
        command += ["--store", store, "--jobs", str(self.arguments.jobs), "--engine", self.arguments.engine]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)


def stage_processes(driver: int) -> list[int]:
    """Processes below the driver that run Python stages: workers of the inline engine, or of Ray."""
    found, queue = [], [driver]
    while queue:
        process = queue.pop()
        try:
            below = [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
            words = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        queue += below
        if process != driver and (b"engines.worker" in words or words.startswith(b"ray::")):
            found.append(process)
    return found


def contents(root: Path) -> dict[str, bytes]:
    """Every file of every finished stage that holds no seconds."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in Store(root).folders()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in TIMED
    }


def write_texts(folder: Path) -> None:
    """The recipe and two small made-up texts."""
    rng = np.random.default_rng(3)
    words = ["".join(rng.choice(list("abdeiklmnorstu"), size=rng.integers(2, 7))) for _ in range(120)]
    (folder / "data").mkdir()
    for language in ("en", "de"):
        lines = [" ".join(rng.choice(words, size=rng.integers(5, 12))) + "." for _ in range(400)]
        (folder / "data" / f"{language}.txt").write_text("\n".join(lines) + "\n")
    (folder / "soak.yaml").write_text(RECIPE)


if __name__ == "__main__":
    sys.exit(main())
