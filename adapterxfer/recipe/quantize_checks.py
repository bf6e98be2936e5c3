"""What a recipe cannot ask of backbones whose linear maps are in 8 or 4 bits (``backbone_sources: quantize``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.catalog.variants import VARIANTS
from adapterxfer.recipe.train_blocks import MODES
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


def quantize_problems(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """What such weights cannot do: train, show their numbers to an adapter or another library, and be compiled."""
    for name, source in recipe.backbone_sources.items():
        if source.quantize is not None and name in recipe.backbones:
            for message in _problems(recipe, source.quantize):
                yield ("backbone_sources", name, "quantize"), message


def training_backbones(recipe: Recipe) -> list[str]:
    """Variants of the recipe that train the backbone, or join trained ones."""
    trained = [name for name in recipe.variants if VARIANTS[name].trains_backbone]
    trained += [name for name in recipe.variants if VARIANTS[name].joins and recipe.merging.full]
    return list(dict.fromkeys(trained))


def _problems(recipe: Recipe, kind: str) -> Iterator[str]:
    for name in training_backbones(recipe):
        yield f"'{name}' trains the backbone, and weights in {kind} stay as they are: leave quantize out, or '{name}'"
    for name in dict.fromkeys(spec.method for spec in recipe.adapters):
        if METHODS[name].reads_maps:
            able = ", ".join(names_of(lambda spec: bool(spec.maps) and not spec.reads_maps and not spec.engine))
            yield f"'{name}' reads the numbers of frozen maps, which {kind} packs: leave quantize out, or take {able}"
        if METHODS[name].engine:
            yield (
                f"'{name}' is built by its library around plain maps, not around those in {kind}: leave quantize out, "
                "or take a method without a library's name before it"
            )
    options = [each for block in recipe.train.values() for each in (block, *map(block.of_mode, MODES))]
    if any(each is not None and each.compile for each in options):
        yield f"train: compile traces plain products, not those of weights in {kind}: leave compile or quantize out"
