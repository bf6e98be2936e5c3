"""What a training stage reads where its settings were chosen: the choice, in place of the grid.

The key of the stage holds the grid, its artefacts the chosen values: whoever reads a model sees what it was trained
with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.errors import StageError
from adapterxfer.stages.context import StageContext

ROLE = "choice"
"""Role of the choice among the inputs of a training."""

CHOICE_FILE = "choice.json"

CHOOSE = "choose"
"""Key of a grid in the settings of an identity."""


def resolved(context: StageContext) -> StageContext:
    """The context with chosen values in the identity of its stage; unchanged where nothing is chosen.

    Raises:
        StageError: a grid without a choice, or a choice of other settings.
    """
    identity = context.stage.identity
    folder = context.inputs.get(ROLE)
    values = {} if folder is None else dict(read_choice(folder)["chosen"])
    if folder is not None:
        identity = settled(identity, values)
    if left := sorted({name for settings in _all_settings(identity) for name in _grids(settings)}):
        raise StageError(
            f"stage {context.stage.kind} {context.stage.short_key}: nothing has chosen {', '.join(left)}",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    return context if folder is None else replace(context, stage=replace(context.stage, identity=identity))


def settled(identity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The identity with values in place of its grids, also in what is trained before."""
    changed = {**identity, "settings": _settle(identity["settings"], values)}
    if "before" in identity:
        changed["before"] = [{**first, "settings": _settle(first["settings"], values)} for first in identity["before"]]
    return changed


def chosen_values(context: StageContext) -> dict[str, Any]:
    """``{"chosen": {setting: value}}`` for the record of a stage; empty where nothing is chosen."""
    folder = context.inputs.get(ROLE)
    return {} if folder is None else {"chosen": dict(read_choice(folder)["chosen"])}


def read_choice(folder: Path) -> dict[str, Any]:
    """The record of a `choose` stage."""
    record: dict[str, Any] = json.loads((folder / CHOICE_FILE).read_text(encoding="utf-8"))
    return record


def _settle(settings: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, **{name: values[name] for name in _grids(settings) if name in values}}


def _grids(settings: Mapping[str, Any]) -> list[str]:
    return [name for name, value in settings.items() if isinstance(value, Mapping) and CHOOSE in value]


def _all_settings(identity: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [identity["settings"], *(first["settings"] for first in identity.get("before", ()))]
