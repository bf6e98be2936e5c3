"""Checks of options of trainings: what ``cache_bottom`` and ``seeds_together`` cannot be combined with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.catalog.variants import VARIANTS, by_mode
from adapterxfer.recipe.settings import training_settings, trainings
from adapterxfer.recipe.train_blocks import MODES, PHASES, Mode
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

OPTION = "seeds_together"

FUSION = PHASES[-1]
"""The phase in which fusions are trained."""


def cached_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """States of lower layers are the same each time only where nothing acts or trains in them."""
    whole = [spec.label for spec in recipe.adapters if spec.layers is None or spec.language]
    problems: list[tuple[Path, str]] = []
    for name, block in recipe.train.items():
        # Below a head alone nothing acts; where the backbone trains the option is without effect.
        inner = {mode: block.of_mode(mode) for mode in MODES if _acts_in_layers(mode)}
        alone = name in MODES and not by_mode(name).adapters and by_mode(name).caches_bottom
        asking = ([()] if block.cache_bottom and not alone else []) + [
            (mode,) for mode, special in inner.items() if special is not None and special.cache_bottom
        ]
        if whole:
            message = (
                f"adapter '{whole[0]}' acts in every layer: give it layers: upper-half and no language, or leave "
                "cache_bottom out"
            )
            problems += [(("train", name, *path, "cache_bottom"), message) for path in asking]
    return problems


def together_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """All that contradicts the option, at the first block that asks for it."""
    problems: list[tuple[Path, str]] = []
    asking: list[Path] = []
    for path in _blocks(recipe):
        why = next(filter(None, map(_one_by_one, path[1:-1])), "")
        if why:
            problems.append((path, f"{OPTION} has no effect here: {why}; leave it out"))
        else:
            asking.append(path)
    return problems + [(asking[0], message) for message in dict.fromkeys(_contradictions(recipe)) if asking]


def together_notes(recipe: Recipe) -> list[str]:
    """Where the option is without effect because of the rest of the recipe."""
    alone = len(recipe.seeds) == 1 and any(True for _ in _blocks(recipe))
    return [f"{OPTION} has no effect: the recipe has one seed"] if alone else []


def _acts_in_layers(mode: Mode) -> bool:
    return by_mode(mode).adapters and by_mode(mode).caches_bottom


def _one_by_one(block: str | int) -> str:
    """Why the option does nothing in a block of this name; empty where it does something."""
    if block == FUSION:
        return next(spec.one_by_one for spec in VARIANTS.values() if spec.fuses)
    return by_mode(block).one_by_one if block in MODES else ""


def _blocks(recipe: Recipe) -> Iterator[Path]:
    """Places where the option is set to true."""
    for name, block in recipe.train.items():
        if block.seeds_together:
            yield ("train", name, OPTION)
        for mode in MODES:
            special = block.of_mode(mode)
            if special is not None and special.seeds_together:
                yield ("train", name, mode, OPTION)


def _contradictions(recipe: Recipe) -> Iterator[str]:
    adapters = False
    for phase, mode, task in trainings(recipe):
        for backbone in recipe.backbones:
            settings = training_settings(recipe, phase=phase, mode=mode, task=task, backbone=backbone)
            if not settings.get(OPTION):
                continue
            adapters |= mode == "adapters"
            for name in ("compile", "cache_bottom"):
                if settings.get(name):
                    yield f"{OPTION} and {name} cannot be combined; keep one"
            requests = recipe.resources.get(backbone, {}).get(mode)
            if requests is not None and requests.gpus > 1:
                yield (
                    f"{OPTION} runs in one process, resources of '{backbone}' ask for {requests.gpus} GPUs; keep one "
                    "of them"
                )
    if adapters:
        able = ", ".join(names_of(lambda spec: spec.batched))
        for spec in recipe.adapters:
            if not METHODS[spec.method].batched:
                yield f"{OPTION}: the weights of adapter '{spec.label}' cannot be stacked; use {able}, or leave it out"
            elif spec.identity().get("config"):
                yield f"{OPTION}: adapter '{spec.label}' has settings of its own; leave one of them out"
            elif spec.language:
                yield f"{OPTION}: adapter '{spec.label}' lies above language adapters; leave one of them out"
