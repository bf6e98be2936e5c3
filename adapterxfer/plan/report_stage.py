"""Makes the last stage of a plan, the report: it reads all predictions, and what the trainings before them recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapterxfer.catalog import known_languages
from adapterxfer.plan.cells import Cell
from adapterxfer.plan.stages import StageMaker
from adapterxfer.recipe.tiers import tiered
from adapterxfer.store.keys import Stage

STAND_INS = " (stand-ins from the synthetic world)"


def add_report(maker: StageMaker, cells: Sequence[Cell]) -> None:
    """Add the report of a plan; it reads the predictions of all cells, each once."""
    roles: dict[str, str] = {}
    for cell in cells:
        roles.setdefault(cell.predict, f"predict.{len(roles)}")
    recipe = maker.bench.recipe
    identity = {
        "recipe": recipe.name,
        "title": (recipe.title or recipe.name) + (STAND_INS if recipe.world else ""),
        "synthetic": recipe.synthetic,
        "statistics": recipe.statistics.identity(),
        "cells": [{**cell.labels(), "predict": roles[cell.predict]} for cell in cells],
    }
    if recipe.low_resource is not None and not recipe.synthetic:
        codes = sorted({code for cell in cells for code in recipe.languages_of(cell.target)})
        table = tiered(recipe, known_languages())
        identity["languages"] = {
            code: {"name": table[code].name, "family": table[code].family, "resource": table[code].resource}
            for code in codes
            if code in table  # others have no tier
        }
    inputs = {role: key for key, role in roles.items()}
    trained = dict.fromkeys(cell.backbone for cell in cells if recipe.is_own(cell.backbone))
    inputs |= {f"pretrain.{name}": maker.pretrain(name) for name in trained}
    inputs |= _mixed(maker.bench.stages)
    stage = Stage(
        kind="report",
        version=maker.bench.version("report", identity),
        identity=identity,
        inputs=inputs,
        slug=recipe.name,
        labels={"recipe": recipe.name},
    )
    maker.bench.stages[stage.key] = stage


def _mixed(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Intermediate trainings on several tasks, with masked text or translations: the report shows their shares."""
    keys: dict[str, str] = {}
    for key, stage in stages.items():
        parts = stage.identity.get("tasks") or ()
        mixed = len(parts) > 1 or "mlm" in stage.identity or "translated" in stage.identity
        if stage.kind == "train_intermediate" and mixed:
            keys[f"mixed.{len(keys)}.{stage.labels['intermediate']}"] = key
    return keys
