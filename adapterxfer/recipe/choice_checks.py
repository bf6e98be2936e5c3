"""Checks of settings that development data choose, and of early stopping: what they cannot be combined with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from adapterxfer.recipe.choices import CHOOSE, EACH, Choice, RateChoice
from adapterxfer.recipe.common_rates import common_problems
from adapterxfer.recipe.settings import block_of, choices_of, training_settings, trainings
from adapterxfer.recipe.train_blocks import MODES, TrainBlock, TrainOptions
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


LISTED = 3
"""Trainings that one note names; the others are counted."""


def choice_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """All that contradicts a choice or early stopping."""
    return [
        *_lengths(recipe),
        *common_problems(recipe),
        *((("train",), message) for message in dict.fromkeys((*_choices(recipe), *_stopping(recipe)))),
    ]


def options_of(recipe: Recipe) -> Iterator[tuple[Path, TrainOptions]]:
    """Every block of `train` with its path, those of single modes inside others included."""
    for name, block in recipe.train.items():
        yield ("train", name), block
        yield from _inner(name, block)


def _inner(name: str, block: TrainBlock) -> Iterator[tuple[Path, TrainOptions]]:
    for mode in MODES:
        if (special := block.of_mode(mode)) is not None:
            yield ("train", name, mode), special


def _lengths(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """The n-th values of all grids that ``also`` names are trained together, as one study with common rates."""
    first = 0
    for path, options in options_of(recipe):
        rate = options.learning_rate
        if not isinstance(rate, RateChoice) or rate.also != EACH:
            continue
        if first and len(rate.grid) != first:
            yield (
                (*path, "learning_rate", "choose"),
                f"{len(rate.grid)} values, another grid with also: {EACH} has {first}; the first values of all grids "
                "are trained as one study, then the second: name as many",
            )
        first = first or len(rate.grid)


def _choices(recipe: Recipe) -> Iterator[str]:
    if not recipe.chooses:
        return
    for phase, mode, task in trainings(recipe):
        for backbone in recipe.backbones:
            choices = choices_of(recipe, phase=phase, mode=mode, task=task, backbone=backbone)
            if not choices:
                continue
            names = " and ".join(choices)
            if not phase:
                yield f"{names} of language adapters cannot be chosen, they have no dev score: set train.language"
                continue
            where = f"{mode} on {task} ({phase} phase)"
            if len({(choice.per, choice.seeds) for choice in choices.values()}) > 1:
                yield f"{names} for {where} are chosen together: give them the same per and seeds"
            for first in recipe.task(task).before if phase != "intermediate" else ():
                earlier = choices_of(recipe, phase=phase, mode=mode, task=first, backbone=backbone)
                for name in _apart(choices, earlier):
                    yield (
                        f"{name} for '{first}', which is trained before {where}, is chosen with it: give both the same "
                        "grid, or a number to one of them"
                    )


def _apart(choices: Mapping[str, Choice], earlier: Mapping[str, Choice]) -> list[str]:
    """Settings of what is trained before a target whose grid is not the target's: both take one value."""
    return [name for name, other in earlier.items() if name not in choices or choices[name].grid != other.grid]


def _stopping(recipe: Recipe) -> Iterator[str]:
    for phase, mode, task in trainings(recipe):
        for backbone in recipe.backbones:
            settings = training_settings(recipe, phase=phase, mode=mode, task=task, backbone=backbone)
            if not settings.get("early_stopping"):
                continue
            where = f"{mode} on {task} ({phase} phase)" if phase else "language adapters (train.language)"
            if settings["selection"] != "dev":
                yield f"early_stopping stops by the English dev score: set selection: dev for {where}"
            if settings.get("seeds_together"):
                yield f"early_stopping and seeds_together cannot be combined for {where}: seeds end at other steps"


def stopping_notes(recipe: Recipe) -> list[str]:
    """Early stopping that ends no training before its last step, by the block that it stands in.

    No error: a rule for all trainings may be for the long ones, and `--set` shortens trainings for a trial.
    """
    late: dict[tuple[str, int, int], list[str]] = {}
    for phase, mode, task in trainings(recipe):
        for backbone in recipe.backbones:
            settings = training_settings(recipe, phase=phase, mode=mode, task=task, backbone=backbone)
            stopping, steps = settings.get("early_stopping"), settings.get("steps")
            if not stopping or steps is None:
                continue
            patience, every = stopping["patience"], stopping["every"]
            fewest = steps[CHOOSE][0] if isinstance(steps, dict) else steps
            if _earliest_end(patience, every) < fewest:
                continue
            source = block_of(recipe, "early_stopping", phase=phase, mode=mode, task=task, backbone=backbone)
            trained = late.setdefault((".".join(("train", *source, "early_stopping")), patience, every), [])
            shown = f"{mode} on {task} ({phase} phase, {fewest:,} steps)"
            if shown not in trained:
                trained.append(shown)
    return [
        f"{where} never ends {', '.join(trained[:LISTED])}"
        + (f" and {len(trained) - LISTED} more" if len(trained) > LISTED else "")
        + f": with patience {patience} and every {every} the earliest end is step {_earliest_end(patience, every):,}; "
        "make them smaller, or leave it out"
        for (where, patience, every), trained in sorted(late.items())
    ]


def _earliest_end(patience: int, every: int) -> int:
    """The step of the first score, which is better than none, and of as many after it as are waited for."""
    return (patience + 1) * every
