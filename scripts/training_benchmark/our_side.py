"""The grid through stages, as `adapterxfer run` runs them in a worker: locks, assertions, files and checksums too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.engines.worker import run_stage
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.keys import Stage
from adapterxfer.store.record import StageRecord
from adapterxfer.store.store import Store
from training_benchmark.cells import Training, settings, trainings
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, FORMATS, LANGUAGES, Inputs
from training_benchmark.side import Side

UNKNOWN = "0" * 64
"""In place of the keys of what both sides share."""


class OurSide:
    """Runs the grid at hidden 64.

    Args:
        inputs: prepared tasks and backbones.
        place: an empty folder for the store.
        batch: effective batch.
        steps: of a training that is no fusion.
    """

    def __init__(self, inputs: Inputs, place: Path, *, batch: int, steps: int) -> None:
        self.inputs, self.batch, self.steps = inputs, batch, steps
        self.store = Store(place)
        self.store.open()
        self.made: dict[str, StageRecord] = {}

    def run(self, side: Side, seeds: Sequence[int], targets: Sequence[str]) -> None:
        """Everything from intermediates to scores."""
        for training in trainings(seeds, targets):
            with side.training():
                self.made[training.name] = self._train(training)
                side.loop(float(self.made[training.name].result["seconds"]))
            side.progress(training.name)
        for training in trainings(seeds, targets):
            if training.cell:
                with side.predicting(FORMATS[training.task]):
                    scores = self._predict(training)
                side.score(training.cell, float(np.mean(list(scores.values()))))
                side.progress(f"prediction of {training.name}")

    def _train(self, training: Training) -> StageRecord:
        name, hidden = BACKBONES[64], 64
        adapter = {"method": "seq_bn", "bottleneck_size": BOTTLENECKS[hidden]}
        task, fmt = training.task, FORMATS[training.task]
        identity: dict[str, Any] = {
            "backbone": self.inputs.identity(name),
            "settings": settings(training.phase, batch=self.batch, steps=self.steps),
            "seed": training.seed,
            "adapter": adapter,
        }
        folders = {"backbone": self.inputs.folders[name]}
        full = training.variant == "full-ft"
        if training.phase == "intermediate":
            kind = "train_intermediate"
            identity |= {"mode": "full" if full else "adapter", "tasks": [{"task": task, "format": fmt}]}
            identity["sampling"] = None
            folders[f"data.{task}"] = self.inputs.folders[task]
        else:
            identity |= {"task": task, "format": fmt}
            folders["data"] = self.inputs.folders[task]
            before = [self.made[earlier].folder for earlier in training.before]
            if training.phase == "fusion":
                kind = "train_fusion"
                identity["fused"] = [training.intermediate]
                folders |= {f"intermediate.{training.intermediate}": before[0], "target": before[1]}
            else:
                kind = "train_target"
                identity |= {
                    "mode": "full" if full else "adapter",
                    "composition": {"full-ft": "sequential", "stack": "stack", "adapter": "fresh"}[training.variant],
                }
                folders |= {"intermediate": before[0]} if before else {}
        return self._stage(kind, identity, folders, training.name)

    def _predict(self, training: Training) -> dict[str, float]:
        task = training.task
        identity = {
            "backbone": self.inputs.identity(BACKBONES[64]), "task": task, "format": FORMATS[task], "protocol": "",
            "system": {"kind": "trained"}, "split": "test", "languages": list(LANGUAGES[task]),
        }  # fmt: skip
        folders = {
            "backbone": self.inputs.folders[BACKBONES[64]],
            "data": self.inputs.folders[task],
            "model": self.made[training.name].folder,
        }
        found: dict[str, float] = self._stage("predict", identity, folders, training.name).result["scores"]
        return found

    def _stage(self, kind: str, identity: dict[str, Any], folders: dict[str, Path], name: str) -> StageRecord:
        keys = {record.folder: record.stage.key for record in self.made.values()}
        inputs = {role: keys.get(folder, UNKNOWN) for role, folder in folders.items()}
        stage = Stage(kind, 1, identity, inputs, name)
        end = run_stage(stage, store=self.store, settings={}, inputs=folders, registry=EXECUTORS)
        return self.store.read(end.folder)
