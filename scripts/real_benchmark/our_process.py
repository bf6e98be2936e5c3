"""One training and one prediction as stages of a store, in a process of its own.

It uses nothing that the first released build did not have, so that another checkout can be measured with it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from real_benchmark.inputs import INTERMEDIATES, MAX_LENGTH, SECOND_TARGET, TARGET
from real_benchmark.one_process import Measured, folder_mib

BOTTLENECK = 24
"""Width of the adapters: hidden size / 16 of e5-small."""


def main() -> int:
    """Run what the JSON file named on the command line asks for."""
    asked: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    measured = Measured()
    _begin()
    runner = Runner(asked, measured)
    if asked["part"] == "intermediates":
        for name in INTERMEDIATES:
            runner.intermediate(name)
        runner.alone()
    elif asked["part"] == "study":
        with tempfile.TemporaryDirectory(dir=asked["work"]) as folder:
            for seed in asked["seeds"]:
                study(runner, Path(folder), seed)
    elif store := asked.get("store"):
        runner.measure(Path(store))
    else:
        with tempfile.TemporaryDirectory(dir=asked["work"]) as folder:
            runner.measure(Path(folder))
    measured.report()
    return 0


class Runner:
    """Stages on one backbone.

    Args:
        asked: ``work``, ``backbone``, ``part``, ``steps``, ``batch``, ``dtype``, ``predict``, ``again``; perhaps the
            ``store`` that is kept, and a ``seed``.
        measured: takes the numbers.
    """

    def __init__(self, asked: Mapping[str, Any], measured: Measured) -> None:
        self.asked, self.measured = asked, measured
        self.work = Path(asked["work"])
        self.identity = {"name": "real", "kind": "folder", "dtype": "float32", "attention": "sdpa"}

    def measure(self, store: Path) -> None:
        """One training and its prediction in all languages."""
        import_module("adapterxfer.stages.registry").load_executor("train_target")  # as a worker imports it
        train_stage: Any = import_module("adapterxfer.stages.train")
        loop = train_stage.train

        def measured_loop(*arguments: Any, **options: Any) -> Any:
            with self.measured.cpu("loop"):
                return loop(*arguments, **options)

        train_stage.train = measured_loop
        with self.measured.cpu("training"):
            folder = self.train(store, self.asked["part"], seed=int(self.asked.get("seed", 1)))
        self.measured.fact(
            stored_mib=folder_mib(folder),
            loss=[json.loads(line).get("loss") for line in (folder / "train.jsonl").read_text().splitlines()][-1],
        )
        if self.asked["again"]:
            with self.measured.cpu("second_stage"):
                self.train(store, self.asked["part"], seed=2)
        if self.asked["predict"]:
            with self.measured.cpu("prediction"):
                end = self.predict(store, folder)
            from adapterxfer.store.store import Store

            self.measured.fact(scores=Store(store).read(end).result["scores"])

    def predict(self, store: Path, model: Path, task: str = TARGET) -> Path:
        """Predictions of a model in all languages of a target."""
        system = {"kind": "trained"}
        identity = {"backbone": self.identity, "system": system, "split": "test", "protocol": ""}
        return self.run(store, "predict", identity, {"model": model, "data": self.work / task})

    def intermediate(self, name: str) -> None:
        """One step on an intermediate task, kept for stacks and fusions."""
        self.train_intermediate(self.work / "before", name, steps=1, slug=name)

    def train_intermediate(
        self, store: Path, name: str, *, mode: str = "adapter", steps: int = 0, seed: int = 1, slug: str = ""
    ) -> Path:
        """One training on an intermediate task."""
        identity = self._training(mode, steps or int(self.asked["steps"]), seed)
        identity |= {"tasks": [{"task": name, "format": "tagging"}], "sampling": None}
        return self.run(store, "train_intermediate", identity, {f"data.{name}": self.work / name}, slug=slug)

    def alone(self) -> None:
        """One step of the target adapter, kept for fusions."""
        self.train(self.work / "before", "adapter", steps=1, slug="alone")

    def _training(self, mode: str, steps: int, seed: int = 1) -> dict[str, Any]:
        settings = {
            "learning_rate": 2e-5 if mode == "full" else 1e-3, "batch_size": self.asked["batch"], "steps": steps,
            "max_length": MAX_LENGTH, "weight_decay": 0.0, "dtype": self.asked.get("dtype", "fp32"),
        }  # fmt: skip
        return {
            "backbone": self.identity, "mode": mode, "adapter": {"method": "seq_bn", "bottleneck_size": BOTTLENECK},
            "composition": "fresh", "settings": settings, "seed": seed,
        }  # fmt: skip

    def train(
        self, store: Path, part: str, *, steps: int = 0, slug: str = "", seed: int = 1, task: str = TARGET,
        before: Sequence[Path] = (), alone: Path | None = None,
    ) -> Path:  # fmt: skip
        """One training on a target.

        Args:
            before: intermediates; those that are kept if none are given.
            alone: the target's own adapter, for fusions; that which is kept if none is given.
        """
        mode = "full" if part == "full-ft" else "adapter"
        identity = self._training(mode, steps or int(self.asked["steps"]), seed) | {"task": task, "format": "tagging"}
        kind, inputs = "train_target", {"data": self.work / task}
        kept = self.work / "before"
        if part == "upper-half":
            identity["adapter"]["layers"] = "upper-half"
            identity["settings"]["cache_bottom"] = True
        if part == "stack" or (part == "full-ft" and before):
            identity["composition"] = "stack" if part == "stack" else "sequential"
            inputs["intermediate"] = before[0] if before else _kept(kept, INTERMEDIATES[0])
        elif part.startswith("fuse"):
            kind = "train_fusion"
            folders = before or [_kept(kept, name) for name in INTERMEDIATES]
            names = INTERMEDIATES[: len(folders)]
            identity |= {"fused": list(names), "rank": 0}
            inputs |= {f"intermediate.{name}": folder for name, folder in zip(names, folders, strict=True)}
            inputs["target"] = alone or _kept(kept, "alone")
        return self.run(store, kind, identity, inputs, slug=slug)

    def run(self, store: Path, kind: str, identity: dict[str, Any], inputs: dict[str, Path], *, slug: str = "") -> Path:
        """One stage."""
        from adapterxfer.engines.worker import run_stage
        from adapterxfer.store.keys import Stage
        from adapterxfer.store.store import Store

        inputs = {"backbone": Path(self.asked["backbone"]), **inputs}
        keys = {role: hashlib.sha256(str(path).encode()).hexdigest() for role, path in inputs.items()}
        stage = Stage(kind=kind, version=_version(kind, identity), identity=identity, inputs=keys, slug=slug)
        place = Store(store)
        place.open()
        return run_stage(stage, store=place, settings={}, inputs=inputs).folder


def study(runner: Runner, store: Path, seed: int) -> None:
    """Every intermediate, then both targets after each of them: fully fine-tuned, stacked and fused, and predicted."""
    modes = ("adapter", "full")
    before = {
        (name, mode): runner.train_intermediate(store, name, mode=mode, seed=seed)
        for name in INTERMEDIATES
        for mode in modes
    }
    for task in (TARGET, SECOND_TARGET):
        alone = runner.train(store, "adapter", seed=seed, task=task)
        for name in INTERMEDIATES:
            for part in ("full-ft", "stack", "fuse-2"):
                first = before[name, "full" if part == "full-ft" else "adapter"]
                model = runner.train(store, part, seed=seed, task=task, before=[first], alone=alone)
                runner.predict(store, model, task)


def _version(kind: str, identity: dict[str, Any]) -> int:
    try:
        from adapterxfer.plan.generations import version_of
    except ImportError:  # a checkout without generations
        return 1
    return version_of(kind, identity)


def _begin() -> None:
    try:
        from adapterxfer.stages.registry import begin_worker
    except ImportError:
        return
    begin_worker()


def _kept(store: Path, slug: str) -> Path:
    return next(path for path in store.rglob(f"{slug}-*") if (path / "model.json").is_file())


if __name__ == "__main__":
    sys.exit(main())
