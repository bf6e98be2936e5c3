"""Kill a training -9 at random moments, let it go on each time, and compare every byte with an undisturbed one.

    python scripts/soak_resume.py --kills 200

Each training is one stage with dropout, on a small backbone, that saves after every few steps; of every five one is
two seeds trained in one pass, and one the pretraining of a backbone; with ``--full`` all of them are full fine-tuning.
All carry only the rows of words that their texts use. Its process is killed at a random moment (also
while it writes), the stage is run again until it ends, and the next training begins. Ends with exit code 1 if a file of
a finished stage differs or a kill left something that could not be gone on from; what such a process said is printed,
and kept in the folder of ``--keep``.
Processes are forked from one that has imported everything but trained nothing, so a kill costs no start of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork

import numpy as np
import torch

from adapterxfer.backbones import rows
from adapterxfer.backbones.loading import EMBEDDED_FOLDER, WORLD_FOLDER, forget_backbones, load_backbone
from adapterxfer.data.examples import PairExample, TaggingExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.engines.worker import run_stage
from adapterxfer.plan.generations import version_of
from adapterxfer.pretraining.corpus import Corpus, Sequences, SpecialTokens, Stream
from adapterxfer.stages.pretrain import execute as _imported_too  # noqa: F401 - not again in every process
from adapterxfer.stages.train import execute as _already_imported  # noqa: F401
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

BACKBONE = "world-nano"
TASKS = {"pos": "tagging", "nli": "sequence_classification"}
IDENTITY = {"name": "soak", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
PRETRAINING = {
    "shape": {"hidden": 32, "layers": 2, "heads": 2}, "tokens": 12_000, "batch_sequences": 16, "learning_rate": 3e-3,
    "warmup_fraction": 0.1, "weight_decay": 0.01, "mask": 0.2, "tlm_share": 0.4, "initialisation": "relative-offset",
    "dtype": "fp32",
}  # fmt: skip
TRAINED = ("model.safetensors", "model.json", "train.jsonl")
COMPARED = {"train_target": TRAINED, "pretrain": ("model.safetensors", "config.json", "pretraining.json")}


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--steps", type=int, default=60, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first training: variant and task")
    parser.add_argument("--full", action="store_true", help="full fine-tuning alone")
    parser.add_argument("--keep", type=Path, help="where both stores and all logs go if there was a problem")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows.LARGE = 0  # so that these small word matrices, too, are carried by their rows
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), arguments)
        code = soak.run()
        if soak.problems and arguments.keep is not None:
            shutil.copytree(folder, arguments.keep, dirs_exist_ok=True)
        return code


class Soak:
    """Trainings that are killed."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.arguments = folder, arguments
        self.rng = np.random.default_rng(arguments.seed)
        self.problems: list[str] = []
        self.kills: Counter[str] = Counter()
        self.resumed: list[int] = []
        self.processes = 0
        write_tasks(folder)
        write_corpus(folder / "corpus")
        write_backbone(folder / "backbone")
        (folder / "logs").mkdir()
        # Imports what loading imports late; every process reads the backbone again.
        load_backbone({**IDENTITY, "name": "warm"}, folder / "backbone")
        forget_backbones()

    def run(self) -> int:
        """Everything; returns the exit code."""
        rounds = self.arguments.first
        began = time.perf_counter()
        while sum(self.kills.values()) < self.arguments.kills and not self.problems:
            stage = self.stage(rounds)
            seconds = self.undisturbed(stage)
            if not self.problems:
                self.disturb(stage, rounds, seconds)
            rounds += 1
            kills, spent = sum(self.kills.values()), time.perf_counter() - began
            print(f"training {rounds}: {kills} kills, {len(self.problems)} problems, {spent:.0f} s", flush=True)
        for problem in self.problems:
            print(f"problem: {problem}")
        facts = {
            "kills": dict(self.kills), "trainings": rounds, "resumed": len(self.resumed),
            "resumed_at_mean": float(np.mean(self.resumed or [0])), "problems": len(self.problems),
            "processes": self.processes, "seconds": round(time.perf_counter() - began),
        }  # fmt: skip
        print(json.dumps(facts))
        return 1 if self.problems else 0

    def stage(self, number: int) -> Stage:
        """Another variant and another selection each time, or a pretraining."""
        full = self.arguments.full
        if number % 5 == 4 and not full:
            return Stage(
                kind="pretrain",
                version=1,
                identity={**PRETRAINING, "seed": number},
                inputs={"corpus": "2" * 64},
                slug=f"s{number}",
            )
        selection = ("last", "dev", "mean")[number % 3]
        task = tuple(TASKS)[number % 2]
        mode = "full" if full or number % 4 == 3 else "adapter"
        settings = {
            "learning_rate": 3e-3, "batch_size": 8, "steps": self.arguments.steps, "max_length": 48,
            "weight_decay": 0.01 if mode == "adapter" else 0.0, "selection": selection,
        }  # fmt: skip
        identity: dict[str, Any] = {
            "backbone": dict(IDENTITY),
            "mode": mode, "adapter": {"method": "seq_bn", "bottleneck_size": 8},
            "composition": "fresh", "task": task, "format": TASKS[task], "settings": settings,
        }  # fmt: skip
        inputs = {"data": "0" * 64, "backbone": "1" * 64}
        if number % 5 == 2 and not full:
            identity |= {
                "mode": "adapter",
                "phase": {"kind": "train_target", "version": version_of("train_target", identity)},
                "seeds": [number, number + 1],
            }
            settings["seeds_together"] = True
            return Stage(
                kind="train_together",
                version=version_of("train_together", identity),
                identity=identity,
                inputs=inputs,
                slug=f"s{number}",
            )
        return Stage(
            kind="train_target",
            version=version_of("train_target", identity),
            identity={**identity, "seed": number},
            inputs=inputs,
            slug=f"s{number}",
        )

    def undisturbed(self, stage: Stage) -> float:
        """Run the stage in a store of its own; returns the seconds of its training loop."""
        began = time.perf_counter()
        process = self.fork(stage, "undisturbed", 0)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0:
            self.problems.append(f"the undisturbed training failed\n{self.last_words()}")
            return 0.0
        result = Store(self.folder / "undisturbed").read(stage).result
        return float(result.get("seconds") or time.perf_counter() - began)

    def disturb(self, stage: Stage, number: int, seconds: float) -> None:
        """Run the stage through kills until it ends, and compare."""
        store = Store(self.folder / "killed")
        every = int(self.rng.integers(1, 6))
        for _ in range(500):
            store.clean()  # what the killed one left
            process = self.fork(stage, "killed", every)
            # Four times of five the clock starts with the training, else with the process.
            deadline = time.perf_counter() + float(self.rng.uniform(0.0, seconds))
            begun = stage.kind == "pretrain" or self.rng.random() < 0.2
            ended = (0, 0)
            while ended[0] == 0 and (not begun or time.perf_counter() < deadline):
                time.sleep(0.001)
                if not begun and any((store.root / ".scratch").glob("*/**/train.jsonl")):
                    begun, deadline = True, time.perf_counter() + float(self.rng.uniform(0.0, seconds))
                ended = os.waitpid(process, os.WNOHANG)

            if ended[0] == 0 and sum(self.kills.values()) < self.arguments.kills:
                writing = self.writing(store)
                os.kill(process, signal.SIGKILL)
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                if code == -signal.SIGKILL:
                    self.kills["while writing" if writing else "otherwise"] += 1
                    continue
            elif ended[0] == 0:
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            else:
                code = os.waitstatus_to_exitcode(ended[1])
            if code != 0:
                self.problems.append(f"training {number}: exit code {code}\n{self.last_words()}")
                return
            break
        store.clean()
        expected = Store(self.folder / "undisturbed").folder(stage)
        found = store.folder(stage)
        self.problems += [
            f"training {number}: {name} differs"
            for name in compared(stage)
            if content(expected / name) != content(found / name)
        ]
        result = store.read(found).result
        of_one = next(iter(result["seeds"].values())) if stage.kind == "train_together" else result
        if at := of_one.get("resumed_at"):
            self.resumed.append(int(at))
        if any((store.root / ".resume").glob("*")):
            self.problems.append(f"training {number}: its checkpoint was not removed")

    def writing(self, store: Store) -> bool:
        """Whether a checkpoint is half written; looked at while its folders come and go."""
        found = []
        for folder, names, _ in os.walk(store.root / ".resume"):  # passes over what has gone
            found += [Path(folder) / name for name in names if name.startswith(".part-")]
        return bool(found)

    @property
    def log(self) -> Path:
        """What the newest process says."""
        return self.folder / "logs" / f"process-{self.processes:04d}.txt"

    def last_words(self) -> str:
        """The end of it."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def fork(self, stage: Stage, store: str, every: int) -> int:
        """A process that runs the stage and ends; what it says goes into a file."""
        self.processes += 1
        process = os.fork()
        if process:
            return process
        code = 1
        try:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            inputs = {"corpus": self.folder / "corpus"}
            if stage.kind != "pretrain":
                inputs = {"data": self.folder / str(stage.identity["task"]), "backbone": self.folder / "backbone"}
            settings = {"checkpoint_steps": every, "checkpoint_seconds": 0}
            place = Store(self.folder / store)
            place.open()
            run_stage(stage, store=place, settings=settings, inputs=inputs)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)


def compared(stage: Stage) -> list[str]:
    """Files that must be the same however often the stage was killed."""
    if stage.kind != "train_together":
        return list(COMPARED[stage.kind])
    return [f"seed-{seed}/{name}" for seed in stage.identity["seeds"] for name in TRAINED]


def write_backbone(folder: Path) -> None:
    """The smallest embedded backbone, with dropout."""
    folder.mkdir()
    source = EMBEDDED_FOLDER / BACKBONE
    for name in ("model.safetensors", "pretraining.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / "tokenizer.json").write_bytes((WORLD_FOLDER / "tokenizer" / "tokenizer.json").read_bytes())
    config = json.loads((source / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    (folder / "config.json").write_text(json.dumps(config))


def content(path: Path) -> Any:
    """Bytes of a file; of a pretraining's record what does not tell times."""
    if path.name != "pretraining.json":
        return path.read_bytes()
    return {name: value for name, value in json.loads(path.read_text()).items() if name != "provenance"}


def write_corpus(folder: Path) -> None:
    """A few hundred sequences of two languages, and pairs."""
    rng = np.random.default_rng(8)

    def rows(count: int) -> Sequences:
        starts, lengths = rng.integers(90, size=count), rng.integers(5, 20, size=count)
        lists = [[0, *(5 + (s + i) % 90 for i in range(n)), 2] for s, n in zip(starts, lengths, strict=True)]
        return Sequences.build(lists, rng.integers(0, 2, count))

    streams = (Stream("mono", 0.6, rows(300)), Stream("parallel", 0.4, rows(100)))
    folder.mkdir()
    Corpus(("en", "de"), 95, SpecialTokens(), streams, rows(40)).save(folder)
    (folder / "tokenizer.json").write_bytes((WORLD_FOLDER / "tokenizer" / "tokenizer.json").read_bytes())


def write_tasks(folder: Path) -> None:
    """Two small made-up tasks."""
    rng = np.random.default_rng(7)
    words = ["".join(rng.choice(list("abdeiklmnorstu"), size=rng.integers(2, 7))) for _ in range(60)]

    def sentence() -> list[str]:
        return [words[i] for i in rng.integers(0, len(words), size=rng.integers(3, 9))]

    def tagged(i: int) -> TaggingExample:
        chosen = sentence()
        return TaggingExample(f"t{i}", f"c{i}", "en", tuple(chosen), tuple("XY"[len(word) > 4] for word in chosen))

    def pair(i: int) -> PairExample:
        first, second = sentence(), sentence()
        label = "yes" if len(first) > len(second) else "no"
        return PairExample(f"p{i}", f"c{i}", "en", " ".join(first), " ".join(second), label)

    for name, make, labels in (("pos", tagged, ("X", "Y")), ("nli", pair, ("yes", "no"))):
        splits = {("train", "en"): [make(i) for i in range(120)], ("dev", "en"): [make(i) for i in range(16)]}
        write_task(folder / name, TaskData(name, TASKS[name], labels, splits))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
