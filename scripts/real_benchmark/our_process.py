"""One training and one prediction as stages of a store, in a process of its own.

It uses nothing that the first released build did not have, so that another checkout can be measured with it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from real_benchmark.inputs import INTERMEDIATES, MAX_LENGTH, TARGET
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
    else:
        with tempfile.TemporaryDirectory(dir=asked["work"]) as folder:
            runner.measure(Path(folder))
    measured.report()
    return 0


class Runner:
    """Stages on one backbone.

    Args:
        asked: ``work``, ``backbone``, ``part``, ``steps``, ``batch``, ``predict``, ``again``.
        measured: takes the numbers.
    """

    def __init__(self, asked: Mapping[str, Any], measured: Measured) -> None:
        self.asked, self.measured = asked, measured
        self.work = Path(asked["work"])
        self.identity = {"name": "real", "kind": "folder", "dtype": "float32", "attention": "sdpa"}

    def measure(self, store: Path) -> None:
        """One training and its prediction in all languages."""
        train_stage: Any = import_module("adapterxfer.stages.train")
        loop = train_stage.train

        def measured_loop(*arguments: Any, **options: Any) -> Any:
            with self.measured.cpu("loop"):
                return loop(*arguments, **options)

        train_stage.train = measured_loop
        with self.measured.cpu("training"):
            folder = self._train(store, self.asked["part"])
        self.measured.fact(
            stored_mib=folder_mib(folder),
            loss=[json.loads(line).get("loss") for line in (folder / "train.jsonl").read_text().splitlines()][-1],
        )
        if self.asked["again"]:
            with self.measured.cpu("second_stage"):
                self._train(store, self.asked["part"], seed=2)
        if self.asked["predict"]:
            with self.measured.cpu("prediction"):
                system = {"kind": "trained"}
                identity = {"backbone": self.identity, "system": system, "split": "test", "protocol": ""}
                end = self._run(store, "predict", identity, {"model": folder})
            from adapterxfer.store.store import Store

            self.measured.fact(scores=Store(store).read(end).result["scores"])

    def intermediate(self, name: str) -> None:
        """One step on an intermediate task, kept for stacks and fusions."""
        identity = self._training("adapter", 1) | {
            "tasks": [{"task": name, "format": "tagging"}], "sampling": None,
        }  # fmt: skip
        self._run(self.work / "before", "train_intermediate", identity, {f"data.{name}": self.work / name}, slug=name)

    def alone(self) -> None:
        """One step of the target adapter, kept for fusions."""
        self._train(self.work / "before", "adapter", steps=1, slug="alone")

    def _training(self, mode: str, steps: int, seed: int = 1) -> dict[str, Any]:
        settings = {
            "learning_rate": 2e-5 if mode == "full" else 1e-3, "batch_size": self.asked["batch"], "steps": steps,
            "max_length": MAX_LENGTH, "weight_decay": 0.0,
        }  # fmt: skip
        return {
            "backbone": self.identity, "mode": mode, "adapter": {"method": "seq_bn", "bottleneck_size": BOTTLENECK},
            "composition": "fresh", "settings": settings, "seed": seed,
        }  # fmt: skip

    def _train(self, store: Path, part: str, *, steps: int = 0, slug: str = "", seed: int = 1) -> Path:
        mode = "full" if part == "full-ft" else "adapter"
        identity = self._training(mode, steps or int(self.asked["steps"]), seed) | {"task": TARGET, "format": "tagging"}
        kind, inputs = "train_target", {}
        before = self.work / "before"
        if part == "stack":
            identity["composition"] = "stack"
            inputs["intermediate"] = _kept(before, INTERMEDIATES[0])
        elif part == "fuse-3":
            kind = "train_fusion"
            identity |= {"fused": list(INTERMEDIATES), "rank": 0}
            inputs = {f"intermediate.{name}": _kept(before, name) for name in INTERMEDIATES}
            inputs["target"] = _kept(before, "alone")
        return self._run(store, kind, identity, inputs, slug=slug)

    def _run(
        self, store: Path, kind: str, identity: dict[str, Any], inputs: dict[str, Path], *, slug: str = ""
    ) -> Path:
        from adapterxfer.engines.worker import run_stage
        from adapterxfer.store.keys import Stage
        from adapterxfer.store.store import Store

        inputs = {"backbone": Path(self.asked["backbone"]), "data": self.work / TARGET, **inputs}
        keys = {role: f"{number:064x}" for number, role in enumerate(sorted(inputs))}
        stage = Stage(kind=kind, version=_version(kind, identity), identity=identity, inputs=keys, slug=slug)
        place = Store(store)
        place.open()
        return run_stage(stage, store=place, settings={}, inputs=inputs).folder


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
