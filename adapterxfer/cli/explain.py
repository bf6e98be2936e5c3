"""Why a stage has its key: its identity, and how it differs from the nearest stage in the store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.find import find_stage
from adapterxfer.cli.options import add_json, add_set, add_store
from adapterxfer.errors import StoreError
from adapterxfer.plan import build_plan
from adapterxfer.plan.generations import CHANGES, FIRST, version_of
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.store import Store

Flat = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `explain`."""
    parser.add_argument("stage", help="digits of a key, or a folder name such as train_target/NAME-0123456789abcdef")
    parser.add_argument("--recipe", help="look among the stages of this recipe too, made or not")
    add_set(parser)
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
    reader = Reader(store, planned)
    others = reader.of_kind(stage.kind)
    done = stage.short_key in others
    others.pop(stage.short_key, None)
    facts = reader.flatten(stage)
    nearest, changes = None, {}
    for other in others.values():
        differences = difference(facts, reader.flatten(other))
        if nearest is None or len(differences) < len(changes):
            nearest, changes = other, differences
    if arguments.json:
        say_json(
            "explain",
            {
                "stage": stage.as_json(),
                "done": done,
                "nearest": nearest.as_json() if nearest else None,
                "difference": {path: {"this": mine, "nearest": its} for path, (mine, its) in changes.items()},
            },
        )
        return 0
    say(f"{stage.kind}/{stage.folder_name}: {'in the store' if done else 'not in the store'}")
    today = version_of(stage.kind, stage.identity) if stage.kind in FIRST else stage.version
    if today != stage.version:
        since = "; ".join(change.name for change in CHANGES if change.touches(stage.kind, stage.identity))
        say(f"  version {stage.version}, today {today}: {since}")
    for path, value in facts.items():
        if not path.startswith("inputs."):
            say(f"  {path}: {_text(value)}")
    for role, key in stage.inputs.items():
        say(f"  inputs.{role}: {reader.name(key)}")
    if nearest is None:
        say(f"no other {stage.kind} stage in the store")
        return 0
    say(f"nearest in the store: {nearest.kind}/{nearest.folder_name}")
    for path, (mine, its) in changes.items():
        say(f"  {path}: {_text(its)} -> {_text(mine)}")
    return 0


class Reader:
    """Stages of a plan and of a store by key; every record is read once.

    Args:
        planned: stages of a recipe; the store is asked for all others.
    """

    def __init__(self, store: Store, planned: Mapping[str, Stage]) -> None:
        self._store = store
        self._folders = store.completed()
        self._stages: dict[str, Stage | None] = {stage.short_key: stage for stage in planned.values()}
        self._flat: dict[str, Flat] = {}

    def get(self, key: str) -> Stage | None:
        """The stage of this key, or None if it is unknown or its record unreadable."""
        short = key[:SHORT_KEY]
        if short not in self._stages:
            self._stages[short] = None
            with suppress(StoreError):
                folder = self._folders.get(short)
                self._stages[short] = self._store.read(folder).stage if folder is not None else None
        return self._stages[short]

    def of_kind(self, kind: str) -> dict[str, Stage]:
        """Short key -> every readable stage of one kind in the store."""
        keys = [key for key, folder in self._folders.items() if folder.parent.name == kind]
        return {key: stage for key in keys if (stage := self.get(key)) is not None}

    def name(self, key: str) -> str:
        """``kind/folder`` of a stage, or its key if nothing is known about it."""
        stage = self.get(key)
        return f"{stage.kind}/{stage.folder_name}" if stage is not None else key[:SHORT_KEY]

    def flatten(self, stage: Stage) -> Flat:
        """Dotted paths of everything that enters the key, inputs unfolded, so that a difference shows its cause."""
        if stage.key not in self._flat:
            flat: Flat = {"version": stage.version}
            _walk(stage.identity, "", flat)
            for role, key in stage.inputs.items():
                # A report reads hundreds of predictions: their keys say enough.
                other = self.get(key) if stage.kind != "report" else None
                if other is None:
                    flat[f"inputs.{role}"] = key[:SHORT_KEY]
                else:
                    flat.update({f"inputs.{role}.{path}": value for path, value in self.flatten(other).items()})
            self._flat[stage.key] = flat
        return self._flat[stage.key]


def _walk(value: Any, path: str, flat: Flat) -> None:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            _walk(inner, f"{path}.{key}" if path else str(key), flat)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value):
            _walk(inner, f"{path}.{index}", flat)
    else:
        flat[path] = value


def difference(mine: Flat, its: Flat) -> dict[str, tuple[Any, Any]]:
    """Paths whose values differ; None where one side has none."""
    paths = [*mine, *(path for path in its if path not in mine)]
    return {path: (mine.get(path), its.get(path)) for path in paths if mine.get(path) != its.get(path)}


def _text(value: Any) -> str:
    if value is None:
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 100 else text[:97] + "..."
