"""Check a recipe: every mistake at once, with its place."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.options import add_json, add_recipe
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.model import NAME_SOURCE, NO_SOURCE
from adapterxfer.plan.pins import check_pins
from adapterxfer.recipe import Recipe, load_recipe
from adapterxfer.recipe.checks import notes
from adapterxfer.recipe.decidable import undecidable

if TYPE_CHECKING:
    from adapterxfer.hub.early import Look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `check`."""
    add_recipe(parser, only=False)
    parser.add_argument(
        "--online", action="store_true", help="also ask the Hub about published adapters that were not looked at yet"
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print what the recipe asks for, and what of it cannot run yet."""
    recipe = load_recipe(arguments.recipe, arguments.set_)
    check_pins(recipe)
    axes = axes_of(recipe)
    missing = unavailable(recipe)
    looks = published(recipe, online=arguments.online)
    if arguments.json:
        found = {
            "recipe": recipe.name,
            "ok": True,
            "axes": axes,
            "unavailable": missing,
            "published": [
                {
                    "task": look.task,
                    "backbone": look.backbone,
                    "repository": look.place.repository,
                    "commit": look.place.revision,
                    "looked": look.looked,
                }
                for look in looks
            ],
            "notes": notes(recipe),
            "warnings": undecidable(recipe),
        }
        say_json(found)
        return 0
    sizes = " x ".join(f"{len(values)} {name.replace('_', ' ')}" for name, values in axes.items())
    say(f"{arguments.recipe}: ok")
    say(f"  {recipe.name}: {sizes}")
    for kind, names in missing.items():
        say(f"  {NO_SOURCE if kind == 'backbone' else 'not available'}: {kind} {', '.join(names)}")
    if "backbone" in missing:
        say(f"    {NAME_SOURCE}")
    for look in looks:
        fits = "fits by its description" if look.looked else "not looked at: run `check --online` (`run` looks first)"
        say(f"  published adapter: {look.name}: {fits}")
    for note in notes(recipe):
        say(f"  note: {note}")
    for warning in undecidable(recipe):
        say(f"  warning: {warning}")
    return 0


def published(recipe: Recipe, *, online: bool) -> list[Look]:
    """Published adapters of the recipe, compared with it as far as their descriptions are known.

    Raises:
        BundleError: one does not fit; names all of them.
        HubError: the Hub was asked and did not answer.
    """
    if not recipe.reuse:
        return []
    from adapterxfer.hub.early import look_at_published, require_fit

    looks = look_at_published(recipe, online=online)
    require_fit(looks, recipe.name)
    return looks


def axes_of(recipe: Recipe) -> dict[str, list[Any]]:
    """Axis -> its values in this recipe."""
    return {
        "backbones": list(recipe.backbones),
        "intermediate_tasks": list(recipe.intermediate_tasks),
        "target_tasks": list(recipe.target_tasks),
        "variants": list(recipe.variants),
        "adapters": [spec.label for spec in recipe.adapters],
        "seeds": list(recipe.seeds),
    }


def unavailable(recipe: Recipe) -> dict[str, list[str]]:
    """Kind -> names of the recipe that this version cannot run."""
    named = [("backbone", name, Backbones(recipe).available(name)) for name in recipe.backbones]
    named += [("task", name, task.available) for name, task in recipe.used_tasks().items()]
    found: dict[str, list[str]] = {}
    for kind, name, available in named:
        if not available and name not in found.setdefault(kind, []):
            found[kind].append(name)
    return {kind: names for kind, names in found.items() if names}
