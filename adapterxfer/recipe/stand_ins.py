"""What `world: true` changes in a recipe before it is checked: real backbones give way to those of the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapterxfer.catalog import UNTRAINED, backbones
from adapterxfer.catalog.lengths import WORLD_SERIES
from adapterxfer.catalog.stand_ins import stand_in_backbones

SERIES = "world"
"""The series of the world's backbones."""


def use_world(value: dict[str, Any]) -> None:
    """Replace the backbones, small ones by small ones; tasks keep their names and are looked up in the world.

    Backbones of the world stay, so that a recipe can name the ones it wants. Unknown names are left to the check.
    Inputs are cut where the world's backbones end: a recipe for real ones asks for more than those can read.
    Hypotheses are asked about the world's backbones, without their published values.
    """
    axis = value.get("backbones")
    if value.get("world") is not True or not isinstance(axis, list):
        return
    pretrain = value.get("pretrain")
    series = pretrain.get("series") if isinstance(pretrain, dict) else None
    pretrained = list(series) if isinstance(series, dict) else []
    known = backbones()
    trained = {name: name.removesuffix(UNTRAINED) for name in axis if isinstance(name, str)}
    real = [
        name
        for name in dict.fromkeys(trained.values())
        if name in pretrained or (name in known and known[name].series != "world")
    ]
    # Own sizes are written from small to large; what the catalogue has not counted keeps its place in the list.
    order = sorted(real, key=lambda name: (known[name].parameters or 0) if name in known else 0)
    chosen = dict(zip(order, stand_in_backbones(len(order)), strict=True))
    replaced = [
        chosen.get(trained[name], trained[name]) + name[len(trained[name]) :] if isinstance(name, str) else name
        for name in axis
    ]
    value["backbones"] = list(dict.fromkeys(replaced)) if all(isinstance(name, str) for name in axis) else replaced
    _shorten(value.get("train"), WORLD_SERIES)
    statistics = value.get("statistics")
    hypotheses = statistics.get("hypotheses") if isinstance(statistics, dict) else None
    for hypothesis in hypotheses if isinstance(hypotheses, list) else ():
        if isinstance(hypothesis, dict):
            _translate(hypothesis, chosen)


def _shorten(block: Any, limit: int) -> None:
    """Bring every `max_length` in a block of settings, and in the blocks inside it, down to a limit in tokens."""
    if not isinstance(block, dict):
        return
    if isinstance(block.get("max_length"), int):
        block["max_length"] = min(block["max_length"], limit)
    for inner in block.values():
        _shorten(inner, limit)


def _translate(hypothesis: dict[str, Any], chosen: Mapping[str, str]) -> None:
    """Rewrite a hypothesis for the backbones of the world, and drop published values, which do not apply there."""
    hypothesis.pop("reference", None)
    if "series" in hypothesis:
        hypothesis["series"] = SERIES
    for side in ("over", "a", "b"):
        selection = hypothesis.get(side)
        named = selection.get("backbone") if isinstance(selection, dict) else None
        if isinstance(selection, dict) and isinstance(named, str):
            selection["backbone"] = chosen.get(named, named)
        elif isinstance(selection, dict) and isinstance(named, list):
            selection["backbone"] = list(dict.fromkeys(chosen.get(name, name) for name in named))
