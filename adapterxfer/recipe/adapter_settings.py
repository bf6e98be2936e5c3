"""Whether the settings that a recipe gives to an adapter method fit its variants and backbones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.methods.configured import SETTINGS
from adapterxfer.catalog.variants import VARIANTS
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

MIXED = ("init_std", "non_linearity", "scaling")
"""Settings of a bottleneck that leave it what a fusion mixes: something that is added to the sum."""


def settings_problems(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """Settings of an adapter with a variant that cannot use them, or maps that a backbone has not."""
    for index, spec in enumerate(recipe.adapters):
        settings = spec.identity().get("config") or {}
        if spec.method not in SETTINGS or not settings:
            continue
        path = ("adapters", index, "config")
        for variant in recipe.variants:
            other = [name for name in settings if name not in MIXED]
            if VARIANTS[variant].fuses and other:
                yield path, f"'{variant}' mixes what bottlenecks add to a sum: leave {other[0]} at its default"
            if VARIANTS[variant].joins and recipe.has_adapters(variant):
                yield path, f"'{variant}' joins adapters with default settings only: leave config or the variant out"
        for backbone in recipe.backbones:
            architecture = ARCHITECTURES.get(recipe.architecture(backbone))
            lacking = [r for r in settings.get("target_modules", ()) if architecture and r not in architecture.linears]
            if architecture and lacking:
                has = ", ".join(architecture.linears)
                yield path, f"target_modules: backbone '{backbone}' has no map '{lacking[0]}'; it has: {has}"
