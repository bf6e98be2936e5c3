"""``stage.json``: what a committed folder says about itself, and the check that it is what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.errors import StoreError
from adapterxfer.store.files import FileFacts, hash_file
from adapterxfer.store.keys import Stage
from adapterxfer.store.sealing import seal_broken, sealed

SCHEMA = 1
"""Version of the store's layout and of every JSON file in it."""

OLDEST_SCHEMA = 1
"""The oldest version that is still read as it is."""

STAGE_FILE = "stage.json"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A committed stage.

    Attributes:
        folder: where its artefacts are.
        stage: the stage as it was planned.
        result: the summary its executor returned.
        provenance: what does not change the numbers: library versions, seconds, platform.
        artefacts: relative path -> sha256 and size of every other file of the folder.
    """

    folder: Path
    stage: Stage
    result: Mapping[str, Any]
    provenance: Mapping[str, Any]
    artefacts: Mapping[str, FileFacts]

    def as_json(self) -> dict[str, Any]:
        """The content of ``stage.json``."""
        return sealed(
            {
                "schema": SCHEMA,
                "stage": self.stage.as_json(),
                "result": dict(self.result),
                "provenance": dict(self.provenance),
                "artefacts": dict(self.artefacts),
            }
        )

    def damage(self, *, rehash: bool = False) -> list[str]:
        """What differs between the folder and its record; sizes only, or contents too with ``rehash``."""
        problems: list[str] = []
        for name, facts in self.artefacts.items():
            path = self.folder / name
            if not path.is_file():
                problems.append(f"{name}: missing")
            elif path.stat().st_size != facts["bytes"]:
                problems.append(f"{name}: {path.stat().st_size} bytes; expected {facts['bytes']}")
            elif rehash and hash_file(path)["sha256"] != facts["sha256"]:
                problems.append(f"{name}: sha256 does not match")
        return problems


def read_record(folder: Path) -> StageRecord:
    """Read ``stage.json`` of a committed folder.

    Raises:
        StoreError: the file is missing, unreadable, of a newer schema, or its key does not match its content or folder.
    """
    path = folder / STAGE_FILE
    fix = "run the recipe again: a damaged folder is set aside and made anew"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder}: no {STAGE_FILE}; expected a committed stage", fix=fix) from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error})", fix=fix) from error
    broken = seal_broken(value)
    if broken:
        raise StoreError(f"{path}: {broken}", fix=fix)
    check_schema(path, value)
    try:
        stage = Stage.from_json(value["stage"])
        record = StageRecord(folder, stage, value["result"], value["provenance"], value["artefacts"])
        for name, facts in record.artefacts.items():
            if not is_inside(name):
                raise ValueError(f"artefact {name!r} lies outside the folder")
            if not isinstance(facts["bytes"], int) or not isinstance(facts["sha256"], str):
                raise TypeError(f"artefact {name!r} has no size or no sha256")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path}: damaged ({error})", fix=fix) from error
    if not folder.name.endswith(stage.short_key):
        raise StoreError(f"{path}: key {stage.short_key} does not match the folder's name", fix=fix)
    return record


def is_inside(name: str) -> bool:
    """Whether a relative path with ``/`` names a file below its folder on every system."""
    parts = name.split("/")
    bad = any(component in ("", ".", "..") or len(component) > 200 for component in parts)
    return not bad and not any(char in name for char in "\\:\0") and len(name) < 1000


def check_schema(path: Path, value: Any) -> None:
    """Refuse a file that a newer version wrote, or that carries no version at all."""
    schema = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(schema, int):
        raise StoreError(f"{path}: no schema version; expected {SCHEMA}", fix="set the file aside and run again")
    if schema < OLDEST_SCHEMA:
        raise StoreError(
            f"{path}: schema {schema}; this version of adapterxfer reads {OLDEST_SCHEMA} to {SCHEMA}",
            fix="set the file aside with `adapterxfer store verify --set-aside` and run again",
        )
    if schema > SCHEMA:
        raise NewerSchemaError(
            f"{path}: schema {schema}; this version of adapterxfer reads up to {SCHEMA}",
            fix="install the newer adapterxfer that wrote this store, or use another --store",
        )


class NewerSchemaError(StoreError):
    """A file of the store was written by a newer version: not damage, and never set aside."""
