"""Makes the last stage of a plan, the report: it reads all predictions, and what the trainings before them recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from adapterxfer.catalog import known_languages
from adapterxfer.catalog.declared import stated
from adapterxfer.plan.cells import PlannedCells
from adapterxfer.plan.rows import Row, Stages
from adapterxfer.plan.stages import StageMaker
from adapterxfer.plan.templates import HOLE, Template, Texts
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
    cells: PlannedCells,
    common: Sequence[tuple[Mapping[str, float], PlannedCells]] = (),
    shared: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Add the report of a plan; it reads the predictions of all cells, each once.

    Args:
        common: rates, and the cells of the study with them; see `common_rates`.
        shared: rates that serve several backbones.
    """
    roles: dict[str, str] = {}
    for _, _, key in chain(cells.runs, *(others.runs for _, others in common)):
        if key not in roles:
            roles[key] = f"predict.{len(roles)}"
    recipe = maker.bench.recipe
    rows = {id(cell): cell for cell, _, _ in cells.runs}.values()
    languages: dict[str, dict[str, str]] = {}
    identity: dict[str, Any] = {
        "recipe": recipe.name,
        "title": (recipe.title or recipe.name) + (STAND_INS if recipe.world else ""),
        "synthetic": recipe.synthetic,
        "statistics": recipe.statistics.identity(),
        "cells": cells,
    }
    if recipe.low_resource is not None and not recipe.synthetic:
        codes = sorted({code for cell in rows for code in recipe.languages_of(cell.target)})
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
    if choices := list(stages.of_kind(CHOICE)):
        identity[CHOICES] = [{"role": f"choice.{number}", **_about(stages, c)} for number, c in enumerate(choices)]
        inputs |= {f"choice.{number}": stage.key for number, stage in enumerate(choices)}
    if common:
        identity[COMMON] = [{"rates": dict(rates), "cells": _listed(others, roles)} for rates, others in common]
    trained = dict.fromkeys(cell.backbone for cell in rows if recipe.is_own(cell.backbone))
    inputs |= {f"pretrain.{name}": maker.pretrain(name) for name in trained}
    inputs |= _mixed(stages)
    tiers = tier_text(recipe)
    few = {
        cell.backbone: recipe.backbone_sources[cell.backbone].quantize
        for cell in rows
        if cell.backbone in recipe.backbone_sources
    }
    few = {name: kind for name, kind in few.items() if kind is not None}
    texts = maker.bench.texts
    texts.put(cells, _written(cells, roles, texts))
    template = Template("report", maker.bench.version("report", identity), identity, inputs, texts=texts)
    labels = {
        "recipe": recipe.name,
        NAMED: recipe.file,
        **({SHARED: list(shared)} if shared else {}),
        **({TIERS: tiers} if tiers else {}),
        **({QUANTIZED: few} if few else {}),
        **({BLOCKS: common_blocks(recipe)} if common else {}),
    }
    stages.add_member(template.key(0, ()), _Report(template, cells, roles, recipe.name, labels), 0, ())


class _Report(Row):
    """The row of the report alone, whose list of cells is as long as the plan."""

    def __init__(
        self, template: Template, cells: PlannedCells, roles: Mapping[str, str], slug: str, labels: Mapping[str, Any]
    ) -> None:
        self._template, self._cells, self._roles, self._slug = template, cells, roles, slug
        super().__init__(
            kind=template.kind,
            identity=template.identity,
            labels=labels,
            resources={},
            given=template.inputs.values(),
        )

    def stage(self, key: str, seed: int, keys: Sequence[str]) -> Stage:
        """The report."""
        stage = self._template.stage(key, seed, keys, slug=self._slug, labels=self.labels, resources=self.resources)
        return replace(stage, identity={**stage.identity, "cells": _listed(self._cells, self._roles)})


def _listed(cells: PlannedCells, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Cells with the roles of their predictions, for the identity."""
    return [{**cell.labels(), "predict": roles[cell.predict]} for cell in cells]


def _written(cells: PlannedCells, roles: Mapping[str, str], texts: Texts) -> str:
    """The canonical JSON of `_listed`, whose cells differ from those of their row in seed and predictions."""
    rows: dict[int, list[str]] = {}
    written = []
    for cell, seed, key in cells.runs:
        row = rows.get(id(cell))
        if row is None:
            labels = {name: texts.of(value) for name, value in cell.labels().items()}
            row = rows[id(cell)] = texts.join({**labels, "predict": f'"{HOLE}"', "seed": HOLE}).split(HOLE)
        written.append(f"{row[0]}{roles[key]}{row[1]}{seed}{row[2]}")
    return f"[{','.join(written)}]"


def _about(stages: Mapping[str, Stage], choice: Stage) -> dict[str, Any]:
    """What a choice is for, in the words of the study."""
    first = stages[next(iter(choice.inputs.values()))]
    return {
        "phase": str(first.identity["phase"]["kind"]).removeprefix("train_"),
        **{name: choice.labels.get(name) or "" for name in AXES[:-1]},
    }


def _mixed(stages: Stages) -> dict[str, str]:
    """Intermediate trainings on several tasks, with masked text or translations: the report shows their shares."""

    def is_mixed(row: Row) -> bool:
        identity = row.identity
        return row.kind == "train_intermediate" and (
            len(identity["tasks"]) > 1 or "mlm" in identity or "translated" in identity
        )

    return {
        f"mixed.{number}.{stage.labels['intermediate']}": stage.key
        for number, stage in enumerate(stages.where(is_mixed))
    }
