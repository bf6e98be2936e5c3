"""A study with choices once more at common rates: the n-th values of all grids that ask for it, for every size.

What these studies show is how the trend with size moves with a rate that serves all sizes. They have no verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapterxfer.catalog import VARIANTS
from adapterxfer.plan.cells import UNTRAINED_SUFFIX
from adapterxfer.plan.rows import Stages
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.choice_checks import options_of
from adapterxfer.recipe.choices import EACH, RateChoice
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.train_blocks import MODES, TrainBlock, TrainOptions
from adapterxfer.store.kinds import TRAINING


def common_studies(recipe: Recipe) -> Iterator[tuple[dict[str, float], Recipe]]:
    """For each position in the grids with ``also: each``: block of `train` -> rate, and the recipe with these rates.

    Controls, diagnostics and further evaluations are left out of it: they have no trend.
    """
    grids = {
        ".".join(map(str, path[1:])): options.learning_rate.grid
        for path, options in options_of(recipe)
        if isinstance(options.learning_rate, RateChoice) and options.learning_rate.also == EACH
    }
    if not grids:
        return
    tasks = {name: options.model_copy(update={"also": None}) for name, options in recipe.tasks.items()}
    for position in range(min(map(len, grids.values()))):
        train = {name: _block_at(block, position) for name, block in recipe.train.items()}
        changed = {"train": train, "tasks": tasks, "oracle": None, "controls": False}
        yield {name: grid[position] for name, grid in grids.items()}, recipe.model_copy(update=changed)


def has_trend(axes: Axes) -> bool:
    """Whether a cell takes part in the trend with size: no control and no untrained twin."""
    return not VARIANTS[axes.variant].control and not axes.backbone.endswith(UNTRAINED_SUFFIX)


def _block_at(block: TrainBlock, position: int) -> TrainBlock:
    changed: dict[str, Any] = _rate_at(block, position)
    for mode in MODES:
        if (special := block.of_mode(mode)) is not None and (rate := _rate_at(special, position)):
            changed[mode.replace("-", "_")] = special.model_copy(update=rate)
    return block.model_copy(update=changed)


def _rate_at(options: TrainOptions, position: int) -> dict[str, float]:
    rate = options.learning_rate
    return {"learning_rate": rate.grid[position]} if isinstance(rate, RateChoice) and rate.also == EACH else {}


def shared_rates(stages: Stages) -> list[dict[str, Any]]:
    """Rates written down as numbers that serve several trained backbones: by phase and variant."""
    shared: dict[tuple[str, str, float], dict[str, None]] = {}
    for row in stages.rows:
        if row.kind not in TRAINING:
            continue
        backbone = str(row.labels.get("backbone", ""))
        rate = row.identity.get("settings", {}).get("learning_rate")
        if not isinstance(rate, float) or backbone.endswith(UNTRAINED_SUFFIX):
            continue
        key = (row.kind.removeprefix("train_"), str(row.labels.get("variant")), rate)
        shared.setdefault(key, {})[backbone] = None
    return [
        {"phase": phase, "variant": variant, "rate": rate, "backbones": list(backbones)}
        for (phase, variant, rate), backbones in shared.items()
        if len(backbones) > 1
    ]
