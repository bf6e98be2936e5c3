"""The grid through stages, as `adapterxfer run` runs them: locks, assertions, files and checksums too.

Stage after stage in this process, or by the default engine with a worker for every core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from adapterxfer.engines.inline import run_plan
from adapterxfer.engines.worker import run_stage
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store
from training_benchmark import given
from training_benchmark.cells import Training, settings, trainings
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, FORMATS, LANGUAGES, Inputs
from training_benchmark.side import Side

NAME, HIDDEN = BACKBONES[64], 64


class OurSide:
    """Runs the grid at hidden 64.

    Args:
        inputs: prepared tasks and backbones.
        place: an empty folder for the store.
        batch: effective batch.
        steps: of a training that is no fusion.
        jobs: workers of the engine; 0 for none, everything in this process.
        dtype: of the trainings.
    """

    def __init__(
        self, inputs: Inputs, place: Path, *, batch: int, steps: int, jobs: int = 0, dtype: str = "fp32"
    ) -> None:
        self.dtype, self.inputs, self.batch, self.steps, self.jobs = dtype, inputs, batch, steps, jobs
        self.store = Store(place)
        self.store.open()
        self.given = {
            name: Stage(kind=given.KIND, version=1, identity={"folder": str(folder)}, inputs={}, slug=name)
            for name, folder in inputs.folders.items()
        }
        self.folders = {stage.key: inputs.folders[name] for name, stage in self.given.items()}

    def run(self, side: Side, seeds: Sequence[int], targets: Sequence[str]) -> None:
        """Everything from intermediates to scores."""
        wanted = list(trainings(seeds, targets))
        trained: dict[str, Stage] = {}
        for training in wanted:
            trained[training.name] = self.training(training, trained)
        predicted = {t.name: self.prediction(t, trained[t.name]) for t in wanted if t.cell}
        if self.jobs:
            self._by_engine([*self.given.values(), *trained.values(), *predicted.values()])
        for training in wanted if not self.jobs else ():
            with side.training():
                result = self._here(trained[training.name])
            side.loop(float(result["seconds"]))
            side.progress(training.name)
        for training in wanted:
            if training.cell:
                with side.predicting(FORMATS[training.task]):
                    stage = predicted[training.name]
                    scores = self._result(stage)["scores"] if self.jobs else self._here(stage)["scores"]
                side.score(training.cell, float(np.mean(list(scores.values()))))
                side.progress(f"prediction of {training.name}")

    def training(self, training: Training, before: Mapping[str, Stage]) -> Stage:
        """The stage of one training; ``before`` has those of all earlier ones."""
        adapter = {"method": "seq_bn", "bottleneck_size": BOTTLENECKS[HIDDEN]}
        task, fmt = training.task, FORMATS[training.task]
        identity: dict[str, Any] = {
            "backbone": self.inputs.identity(NAME),
            "settings": settings(training.phase, batch=self.batch, steps=self.steps, dtype=self.dtype),
            "seed": training.seed,
            "adapter": adapter,
        }
        inputs = {"backbone": self.given[NAME].key}
        mode = "full" if training.variant == "full-ft" else "adapter"
        earlier = [before[name].key for name in training.before]
        if training.phase == "intermediate":
            identity |= {"mode": mode, "tasks": [{"task": task, "format": fmt}], "sampling": None}
            inputs[f"data.{task}"] = self.given[task].key
            return Stage(kind="train_intermediate", version=1, identity=identity, inputs=inputs, slug=training.name)
        identity |= {"task": task, "format": fmt}
        inputs["data"] = self.given[task].key
        if training.phase == "fusion":
            identity["fused"] = [training.intermediate]
            inputs |= {f"intermediate.{training.intermediate}": earlier[0], "target": earlier[1]}
            return Stage(kind="train_fusion", version=1, identity=identity, inputs=inputs, slug=training.name)
        composition = {"full-ft": "sequential", "stack": "stack", "adapter": "fresh"}[training.variant]
        identity |= {"mode": mode, "composition": composition}
        inputs |= {"intermediate": earlier[0]} if earlier else {}
        return Stage(kind="train_target", version=1, identity=identity, inputs=inputs, slug=training.name)

    def prediction(self, training: Training, model: Stage) -> Stage:
        """The stage that predicts with a trained model."""
        task = training.task
        identity = {
            "backbone": self.inputs.identity(NAME), "task": task, "format": FORMATS[task], "protocol": "",
            "system": {"kind": "trained"}, "split": "test", "languages": list(LANGUAGES[task]),
        }  # fmt: skip
        inputs = {"backbone": self.given[NAME].key, "data": self.given[task].key, "model": model.key}
        return Stage(kind="predict", version=1, identity=identity, inputs=inputs, slug=training.name)

    def _here(self, stage: Stage) -> Mapping[str, Any]:
        inputs = {role: self.folders[key] for role, key in stage.inputs.items()}
        self.folders[stage.key] = run_stage(stage, store=self.store, settings={}, inputs=inputs).folder
        return self._result(stage)

    def _result(self, stage: Stage) -> Mapping[str, Any]:
        return self.store.read(self.folders[stage.key]).result

    def _by_engine(self, stages: Sequence[Stage]) -> None:
        plan = SimpleNamespace(stages={stage.key: stage for stage in stages})
        outcome = run_plan(plan, self.store, jobs=self.jobs, registry={**EXECUTORS, given.KIND: given.EXECUTOR})
        if outcome.failed:
            raise RuntimeError(f"{len(outcome.failed)} stages failed: {next(iter(outcome.failed.values()))}")
        self.folders |= dict(outcome.folders)
