"""Show a recipe with all defaults written out, or the record of a stage."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.find import find_stage
from adapterxfer.cli.options import add_json, add_set, add_store
from adapterxfer.recipe import load_recipe, read_resolved, resolve_recipe
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
        resolved = resolve_recipe(recipe, store.root).resolved()
        if arguments.json:
            say_json({"recipe": resolved, "digest": recipe.digest, "measured": record})
            return 0
        say(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110).rstrip())
        if record is not None:
            say("# measured on this machine: " + ", ".join(f"{key} {value}" for key, value in record["probe"].items()))
        return 0
    stage = find_stage(arguments.what, store)
    say_json(store.read(stage).as_json())
    return 0
