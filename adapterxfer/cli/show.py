"""Show a recipe with all defaults written out, or the record of a stage."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.find import find_stage
from adapterxfer.cli.options import add_json, add_set, add_store
from adapterxfer.recipe import Recipe, load_recipe, read_resolved, resolve_recipe
from adapterxfer.recipe.settings import DEFAULTS
from adapterxfer.store.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `show`."""
    parser.add_argument("what", help="a recipe file, or a stage: digits of its key or its folder name")
    add_set(parser)
    add_store(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the recipe as YAML, or the stage's record as JSON."""
    store = Store(arguments.store)
    path = Path(arguments.what)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        recipe = load_recipe(arguments.what, arguments.set_)
        record = read_resolved(store.root, recipe) if recipe.needs_measurement else None
        resolved = with_defaults(resolve_recipe(recipe, store.root))
        if arguments.json:
            say_json("show", {"recipe": resolved, "digest": recipe.digest, "measured": record})
            return 0
        say(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110).rstrip())
        if "max_length" not in resolved["train"].get("default", {}):
            say(f"# max_length where nothing else is said: {DEFAULTS['max_length']}, or what the backbone can read")
        if record is not None:
            say("# measured on this machine: " + ", ".join(f"{key} {value}" for key, value in record["probe"].items()))
        return 0
    stage = find_stage(arguments.what, store)
    say_json("show", store.read(stage).as_json())
    return 0


def with_defaults(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON values with everything that it leaves out: training settings, sizes of the tasks in use.

    A recipe of these values gives the same stages. The default `max_length` stays out: written down, it would be asked
    of backbones that read less.
    """
    values = recipe.resolved()
    written = values["train"].get("default", {})
    defaults = {key: value for key, value in DEFAULTS.items() if key != "max_length"}
    values["train"] = {**values["train"], "default": {**defaults, **written}}
    sizes = {}
    for name, task in recipe.used_tasks().items():
        counts = {key: getattr(task, key) for key in ("train_examples", "dev_examples", "test_examples")}
        known = {key: count for key, count in counts.items() if count}
        sizes[name] = {**known, **values.get("tasks", {}).get(name, {})}
    values["tasks"] = {**values.get("tasks", {}), **{name: options for name, options in sizes.items() if options}}
    return values
