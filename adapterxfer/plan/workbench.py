"""What all makers of stages share: the recipe, where files and backbones come from, and the stages made so far.

Makers build each stage once: the same question always gives the same stage. Every dictionary of an identity lists its
keys one by one. A new option is added where it changes numbers, and only there: adding it everywhere would send every
stored result of every user out of date.
"""

from __future__ import annotations

from typing import Any

from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.sources import Sources
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.settings import training_settings
from adapterxfer.recipe.train_blocks import Mode
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import MERGED

VERSIONS = {
    "prepare": 1,
    "pretrain": 1,
    "train_language": 1,
    "train_intermediate": 1,
    "reuse_intermediate": 1,
    "train_target": 1,
    "train_together": 1,
    "train_fusion": 1,
    MERGED: 1,
    "predict": 1,
    "report": 3,
}
"""Raised when the code of a kind changes what the same identity computes."""

DATA_SEED = 0
"""Every system of a study sees the same examples; seeds of the study move initialisation and order."""


class Workbench:
    """Shared by the makers of one plan.

    Attributes:
        stages: key -> stage in the order of first use, inputs first.
    """

    def __init__(self, recipe: Recipe, sources: Sources) -> None:
        self.recipe = recipe
        self.sources = sources
        self.backbones = Backbones(recipe)
        self.cost = CostModel(recipe, self.backbones.described)
        self.stages: dict[str, Stage] = {}
        self._settings: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(self, kind: str, identity: dict[str, Any], inputs: dict[str, str], slug: str, labels: dict[str, Any],
            resources: dict[str, Any]) -> str:  # fmt: skip
        """Add a stage to the plan unless it is there, and give its key."""
        return self.put(
            Stage(
                kind=kind,
                version=VERSIONS[kind],
                identity=identity,
                inputs=inputs,
                slug=slug,
                labels=labels,
                resources=resources,
            )
        )

    def put(self, stage: Stage) -> str:
        """Add a finished stage to the plan unless it is there, and give its key."""
        self.stages.setdefault(stage.key, stage)
        return stage.key

    def settings(self, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Any]:
        """Settings of one training."""
        memo = (phase, mode, task, backbone)
        if memo not in self._settings:
            self._settings[memo] = training_settings(self.recipe, phase=phase, mode=mode, task=task, backbone=backbone)
        return self._settings[memo]

    def resources(self, backbone: str, mode: Mode, cost: float) -> dict[str, Any]:
        """What a training needs of a machine: its cost in operations, and what the recipe asks for."""
        requests = self.recipe.resources.get(backbone, {}).get(mode)
        return {"cost": cost, **(requests.model_dump(exclude_none=True) if requests else {})}
