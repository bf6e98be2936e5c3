"""Why a stage has its key: its identity, and how it differs from the nearest stage in the store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.find import find_stage
from adapterxfer.cli.options import add_json, add_store
from adapterxfer.errors import StoreError
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

Flat = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `explain`."""
    parser.add_argument("stage", help="digits of a key, or a folder name such as train_target/NAME-0123456789abcdef")
    parser.add_argument("--recipe", help="look among the stages of this recipe too, made or not")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="set_", help="change the recipe"
    )
    add_store(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print identity, inputs, and the difference to the nearest stage of the same kind."""
    store = Store(arguments.store)
    planned: dict[str, Stage] = {}
    if arguments.recipe:
        recipe = resolve_recipe(load_recipe(arguments.recipe, arguments.set_), store.root)
        planned = dict(build_plan(recipe).stages)
    stage = find_stage(arguments.stage, store, planned)
    known = {key[:16]: other for key, other in planned.items()}
    others = stored_stages(store, stage.kind)
    done = stage.short_key in others
    others.pop(stage.short_key, None)
    own = flatten(stage, store, known)
    nearest, changes = None, {}
    for other in others.values():
        found = difference(own, flatten(other, store, known))
        if nearest is None or len(found) < len(changes):
            nearest, changes = other, found
    if arguments.json:
        say_json(
            {
                "stage": stage.as_json(),
                "done": done,
                "nearest": nearest.as_json() if nearest else None,
                "difference": {path: {"this": mine, "nearest": its} for path, (mine, its) in changes.items()},
            }
        )
        return 0
    say(f"{stage.kind}/{stage.folder_name}: {'in the store' if done else 'not in the store'}")
    for path, value in own.items():
        if not path.startswith("inputs."):
            say(f"  {path}: {_text(value)}")
    for role, key in stage.inputs.items():
        say(f"  inputs.{role}: {_name(key, store, known)}")
    if nearest is None:
        say(f"no other {stage.kind} stage in the store")
        return 0
    say(f"nearest in the store: {nearest.kind}/{nearest.folder_name}")
    for path, (mine, its) in changes.items():
        say(f"  {path}: {_text(its)} -> {_text(mine)}")
    return 0


def stored_stages(store: Store, kind: str) -> dict[str, Stage]:
    """Short key -> every readable stage of one kind in the store."""
    found = {}
    for key, folder in store.completed().items():
        if folder.parent.name == kind:
            try:
                found[key] = store.read(folder).stage
            except StoreError:
                continue
    return found


def flatten(stage: Stage, store: Store, planned: Mapping[str, Stage], prefix: str = "") -> Flat:
    """Dotted paths of everything that enters the key, inputs unfolded, so that a difference shows its cause."""
    flat: Flat = {f"{prefix}version": stage.version}
    _walk(stage.identity, prefix, flat)
    for role, key in stage.inputs.items():
        other = planned.get(key[:16])
        folder = store.completed().get(key[:16]) if other is None else None
        if folder is not None:
            try:
                other = store.read(folder).stage
            except StoreError:
                other = None
        # A report reads hundreds of predictions: their keys say enough.
        if other is None or stage.kind == "report":
            flat[f"{prefix}inputs.{role}"] = key[:16]
        else:
            flat.update(flatten(other, store, planned, f"{prefix}inputs.{role}."))
    return flat


def _walk(value: Any, path: str, flat: Flat) -> None:
    if isinstance(value, Mapping) and value:
        for key, entry in value.items():
            _walk(entry, f"{path.rstrip('.')}.{key}" if path else str(key), flat)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for index, entry in enumerate(value):
            _walk(entry, f"{path}.{index}", flat)
    else:
        flat[path] = value


def difference(mine: Flat, its: Flat) -> dict[str, tuple[Any, Any]]:
    """Paths whose values differ; None where one side has none."""
    paths = [*mine, *(path for path in its if path not in mine)]
    return {path: (mine.get(path), its.get(path)) for path in paths if mine.get(path) != its.get(path)}


def _name(key: str, store: Store, planned: Mapping[str, Stage]) -> str:
    if key[:16] in planned:
        return f"{planned[key[:16]].kind}/{planned[key[:16]].folder_name}"
    folder = store.completed().get(key[:16])
    return f"{folder.parent.name}/{folder.name}" if folder is not None else key[:16]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 100 else text[:97] + "..."
