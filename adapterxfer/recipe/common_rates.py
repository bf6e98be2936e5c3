"""Grids with ``also: each``: which trainings of a variant take their rates from them, and where they do not fit.

A study with common rates trains every size with the same one, so it needs one grid for all sizes in each training of a
variant. Trainings may differ: a task's own grid gives its n-th value where the others give theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from adapterxfer.catalog import UNTRAINED, VARIANTS
from adapterxfer.catalog.variants import alone
from adapterxfer.recipe.choices import EACH, RateChoice
from adapterxfer.recipe.settings import block_of, training_settings, trainings
from adapterxfer.recipe.train_blocks import Mode
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


class _Training(NamedTuple):
    """What is trained in which phase."""

    phase: str
    mode: Mode
    task: str


class _Rate(NamedTuple):
    """Where a learning rate is written, and what stands there in identities: a number, or a grid."""

    source: tuple[str, ...]
    value: float | dict[str, list[float]] | None


def common_blocks(recipe: Recipe) -> dict[str, list[str]]:
    """Variant -> blocks of `train` whose rates its trainings take in a study with common rates: ``mnli.full-ft``.

    A variant that takes none is not among them: its trainings are those of the study itself.
    """
    table = {}
    for variant in _with_trend(recipe):
        rates = [rate for training in _trainings_of(recipe, variant) for rate in _rates(recipe, training).values()]
        blocks = dict.fromkeys(".".join(rate.source) for rate in rates if is_common(recipe, rate.source))
        if blocks:
            table[variant] = list(blocks)
    return table


def common_problems(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """Trainings that would have no common rate, or only in a part of what is trained one after the other.

    One problem for each place of the recipe.
    """
    told: dict[Path, str] = {}
    for variant in _with_trend(recipe):
        common: dict[tuple[str, ...], str] = {}
        chosen: dict[tuple[str, ...], str] = {}
        for training in _trainings_of(recipe, variant):
            rates = _rates(recipe, training)
            where = f"{training.mode} on {training.task} ({training.phase} phase)"
            each = [name for name, rate in rates.items() if is_common(recipe, rate.source)]
            for name, rate in rates.items():
                if name in each:
                    common.setdefault(rate.source, where)
                elif isinstance(rate.value, dict):
                    chosen.setdefault(rate.source, where)
                if each and (name not in each or rate.value != rates[each[0]].value):
                    told.setdefault(
                        ("train", *rate.source, "learning_rate"),
                        f"also: {EACH} trains {where} with one rate for every size, but {name} has other rates than "
                        f"{each[0]}: give all backbones the same grid with also: {EACH}",
                    )
        for source, where in chosen.items() if common else ():
            first, other = next(iter(common.items()))
            told.setdefault(
                ("train", *source, "learning_rate"),
                f"a grid without also: {EACH} for {where}, while {'.'.join(first)} has it for {other}: a study with "
                f"common rates would still choose this one for each size; add also: {EACH} and as many values, or give "
                "it a number",
            )
    yield from told.items()


def is_common(recipe: Recipe, source: tuple[str, ...]) -> bool:
    """Whether the learning rate of a block of `train` is a grid with ``also: each``."""
    if not source:
        return False
    block = recipe.train[source[0]]
    options = block if len(source) == 1 else block.of_mode(source[1])  # type: ignore[arg-type]
    rate = options.learning_rate if options is not None else None
    return isinstance(rate, RateChoice) and rate.also == EACH


def _with_trend(recipe: Recipe) -> list[str]:
    return [name for name in recipe.variants if not VARIANTS[name].control]


def _rates(recipe: Recipe, training: _Training) -> dict[str, _Rate]:
    """Backbone -> learning rate of one training, of the backbones that take part in a trend with size."""
    phase, mode, task = training
    return {
        name: _Rate(
            block_of(recipe, "learning_rate", phase=phase, mode=mode, task=task, backbone=name),
            training_settings(recipe, phase=phase, mode=mode, task=task, backbone=name).get("learning_rate"),
        )
        for name in recipe.backbones
        if not name.endswith(UNTRAINED)
    }


def _trainings_of(recipe: Recipe, variant: str) -> list[_Training]:
    """Phase, mode and task of what is trained for one variant, its fusion and its baseline without intermediate too."""
    spec = VARIANTS[variant]
    if spec.joins:  # what is joined: runs of another variant, or adapters alone
        spec = VARIANTS.get(recipe.merging.of, alone(adapter=True))
    mode = spec.mode if spec.trains_backbone else alone(adapter=True).mode
    return [
        _Training(phase, used, task)
        for phase, used, task in trainings(recipe)
        if (phase == "fusion" and spec.fuses and used == spec.mode) or (phase not in ("", "fusion") and used == mode)
    ]
