"""YAML to a checked, frozen recipe."""

from __future__ import annotations

from adapterxfer.recipe.loading import load_recipe, parse_recipe
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.resolved import read_resolved, resolve_recipe, write_resolved
from adapterxfer.recipe.settings import training_settings

__all__ = [
    "Recipe",
    "load_recipe",
    "parse_recipe",
    "read_resolved",
    "resolve_recipe",
    "training_settings",
    "write_resolved",
]
