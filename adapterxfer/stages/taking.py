"""A training stage whose seed was trained together with others: its model is taken out of their group."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from adapterxfer.errors import StageError
from adapterxfer.stages.context import StageContext
from adapterxfer.training.meter import DivergedError

TOGETHER = "together"
"""Role of the group among the inputs of such a stage."""

FAILED = "failed.json"
"""In a seed's folder in place of its model: why there is none."""


def folder_of(seed: int) -> str:
    """Where a group keeps one of its seeds."""
    return f"seed-{seed}"


def take(context: StageContext) -> dict[str, Any]:
    """Copy the model of one seed out of its group, byte for byte.

    Raises:
        DivergedError: this seed diverged in the group, whatever became of the others.
        StageError: the group has no such seed.
    """
    source = context.inputs[TOGETHER] / folder_of(int(context.stage.identity["seed"]))
    if (failed := source / FAILED).is_file():
        record = json.loads(failed.read_text(encoding="utf-8"))
        raise DivergedError(record["what"], fix=record["fix"])
    if not source.is_dir():
        raise StageError(
            f"{context.inputs[TOGETHER]}: no model of seed {context.stage.identity['seed']}",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, context.scratch / file.name)
    return _described(context.scratch)


def _described(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    outcome = {name: value for name, value in content["training"].items() if name not in ("stage", "settings")}
    return {
        "variant": content["composition"]["variant"],
        "trainable_parameters": content["trainable_parameters"],
        **outcome,
    }
