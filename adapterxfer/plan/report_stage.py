"""Makes the last stage of a plan, the report: it reads all predictions, and what the trainings before them recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapterxfer.catalog import known_languages
from adapterxfer.catalog.declared import stated
from adapterxfer.plan.cells import Cell
from adapterxfer.plan.stages import StageMaker
from adapterxfer.recipe.axes import AXES
from adapterxfer.recipe.common_rates import common_blocks
from adapterxfer.recipe.tiers import tier_text, tiered
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import CHOICE

STAND_INS = " (stand-ins from the synthetic world)"


SHARED = "shared_rates"
"""Label of a report: which rates serve several backbones. It follows from the trainings behind the report's inputs, so
it is no part of the key.
"""

TASKS = "tasks"
"""Key of the identity: the tasks that the recipe declares."""
TIERS = "tiers"
"""Label of a report: what its tier of low-resource languages means. The tiers themselves are part of the key."""

QUANTIZED = "quantized"
"""Label of a report: backbone -> kind of its weights in few bits. They are part of the keys of its inputs."""

NAMED = "recipe_file"
"""Label of a report: what the command that planned it called the recipe, for the commands that a page prints."""

BLOCKS = "common_blocks"
"""Label of a report with common rates: variant -> the blocks of `train` that its trainings take them from."""

CHOICES, COMMON = "choices", "common_rates"
"""Keys of the identity: what development data chose, and the study at common rates."""


def add_report(
    maker: StageMaker,
    cells: Sequence[Cell],
    common: Sequence[tuple[Mapping[str, float], Sequence[Cell]]] = (),
    shared: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Add the report of a plan; it reads the predictions of all cells, each once.

    Args:
        common: rates, and the cells of the study with them; see `common_rates`.
        shared: rates that serve several backbones.
    """
    roles: dict[str, str] = {}
    for cell in (*cells, *(cell for _, others in common for cell in others)):
        roles.setdefault(cell.predict, f"predict.{len(roles)}")
    recipe = maker.bench.recipe
    languages: dict[str, dict[str, str]] = {}
    identity: dict[str, Any] = {
        "recipe": recipe.name,
        "title": (recipe.title or recipe.name) + (STAND_INS if recipe.world else ""),
        "synthetic": recipe.synthetic,
        "statistics": recipe.statistics.identity(),
        "cells": [{**cell.labels(), "predict": roles[cell.predict]} for cell in cells],
    }
    if recipe.low_resource is not None and not recipe.synthetic:
        codes = sorted({code for cell in cells for code in recipe.languages_of(cell.target)})
        table = tiered(recipe, known_languages())
        identity["languages"] = languages = {
            code: {"name": table[code].name, "family": table[code].family, "resource": table[code].resource}
            for code in codes
            if code in table  # others have no tier
        }
    if facts := recipe.language_facts():
        identity["languages"] = {**languages, **facts}
    if declared := recipe.declared_tasks():
        identity[TASKS] = {name: stated(task) for name, task in declared.items()}
    inputs = {role: key for key, role in roles.items()}
    stages = maker.bench.stages
    if choices := [stage for stage in stages.values() if stage.kind == CHOICE]:
        identity[CHOICES] = [{"role": f"choice.{number}", **_about(stages, c)} for number, c in enumerate(choices)]
        inputs |= {f"choice.{number}": stage.key for number, stage in enumerate(choices)}
    if common:
        identity[COMMON] = [
            {"rates": dict(rates), "cells": [{**cell.labels(), "predict": roles[cell.predict]} for cell in others]}
            for rates, others in common
        ]
    trained = dict.fromkeys(cell.backbone for cell in cells if recipe.is_own(cell.backbone))
    inputs |= {f"pretrain.{name}": maker.pretrain(name) for name in trained}
    inputs |= _mixed(maker.bench.stages)
    tiers = tier_text(recipe)
    few = {
        cell.backbone: recipe.backbone_sources[cell.backbone].quantize
        for cell in cells
        if cell.backbone in recipe.backbone_sources
    }
    few = {name: kind for name, kind in few.items() if kind is not None}
    stage = Stage(
        kind="report",
        version=maker.bench.version("report", identity),
        identity=identity,
        inputs=inputs,
        slug=recipe.name,
        labels={
            "recipe": recipe.name,
            NAMED: recipe.file,
            **({SHARED: list(shared)} if shared else {}),
            **({TIERS: tiers} if tiers else {}),
            **({QUANTIZED: few} if few else {}),
            **({BLOCKS: common_blocks(recipe)} if common else {}),
        },
    )
    maker.bench.stages[stage.key] = stage


def _about(stages: Mapping[str, Stage], choice: Stage) -> dict[str, Any]:
    """What a choice is for, in the words of the study."""
    first = stages[next(iter(choice.inputs.values()))]
    return {
        "phase": str(first.identity["phase"]["kind"]).removeprefix("train_"),
        **{name: choice.labels.get(name) or "" for name in AXES[:-1]},
    }


def _mixed(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Intermediate trainings on several tasks, with masked text or translations: the report shows their shares."""
    keys: dict[str, str] = {}
    for key, stage in stages.items():
        if stage.kind != "train_intermediate":
            continue
        if len(stage.identity["tasks"]) > 1 or "mlm" in stage.identity or "translated" in stage.identity:
            keys[f"mixed.{len(keys)}.{stage.labels['intermediate']}"] = key
    return keys
