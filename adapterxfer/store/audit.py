"""Checking every byte of a store against its records, and setting aside what does not match."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.errors import StoreError
from adapterxfer.store.files import artefacts
from adapterxfer.store.record import STAGE_FILE, NewerSchemaError, check_schema, read_record
from adapterxfer.store.sealing import seal_broken
from adapterxfer.store.store import Store


@dataclass(frozen=True, slots=True)
class Damage:
    """One folder or file that is not what it should be.

    Attributes:
        path: where it is.
        what: every difference found, joined by semicolons.
        stage: whether it is the folder of a stage, which can be set aside and made again.
    """

    path: Path
    what: str
    stage: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """What a check of a whole store found.

    Attributes:
        stages: number of committed folders looked at.
        files: files whose bytes were compared.
        bytes: their size.
        damaged: everything that does not match its record.
        left_behind: scratch folders of stages in flight or of makers that died; never used as results.
    """

    stages: int
    files: int
    bytes: int
    damaged: tuple[Damage, ...]
    left_behind: int


def audit(store: Store, *, seen: Callable[[Path], None] = lambda _folder: None) -> Audit:
    """Hash every file of every committed stage again and read every record. Writes nothing.

    Args:
        seen: called with every folder before it is hashed.

    Raises:
        StoreError: there is no store, or a newer version wrote a part of it.
    """
    if not store.root.is_dir():
        raise StoreError(f"store {store.root}: no such folder", fix="name the store with --store")
    damaged = list(_loose_files(store))
    stages = files = size = 0
    for folder in store.folders():
        stages += 1
        seen(folder)
        differences = _differences(folder)
        if differences:
            damaged.append(Damage(folder, "; ".join(differences), stage=True))
            continue
        record = read_record(folder)
        files += len(record.artefacts) + 1
        size += sum(facts["bytes"] for facts in record.artefacts.values())
    scratch = store.root / ".scratch"
    left = len(list(scratch.iterdir())) if scratch.is_dir() else 0
    return Audit(stages, files, size, tuple(damaged), left)


def set_aside_damaged(store: Store, report: Audit) -> list[Path]:
    """Move the damaged stages out of the way, each under its lock; the next run makes them again.

    Returns:
        where they are now, for whoever wants to look at them.
    """
    moved = []
    for damage in report.damaged:
        if damage.stage:
            key = damage.path.name[-16:]
            with store.locked(key):
                # Another run may have replaced it meanwhile.
                if damage.path.is_dir() and _differences(damage.path):
                    moved.append(store.set_aside(damage.path))
    return moved


def _differences(folder: Path) -> list[str]:
    """Everything that differs between a committed folder and its record."""
    try:
        record = read_record(folder)
        damage = record.damage(rehash=True)
        known = {*record.artefacts, STAGE_FILE}
        extra = [path.relative_to(folder).as_posix() for path in artefacts(folder)]
    except NewerSchemaError:
        raise
    except StoreError as error:
        return [error.what]
    except OSError as error:
        return [f"cannot be read ({error.strerror or error})"]
    return damage + [f"{name}: not in the record" for name in extra if name not in known]


def _loose_files(store: Store) -> Iterator[Damage]:
    """JSON files of the store that belong to no stage."""
    places = [store.root / "store.json", *sorted((store.root / "recipes").glob("*.json"))]
    places += [path for name in ("failed", "differences") for path in sorted((store.root / name).glob("*.json"))]
    for path in places:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(value, dict):
                raise ValueError("no JSON object")
            if seal_broken(value):
                raise ValueError(seal_broken(value))
        except FileNotFoundError:
            yield Damage(path, "missing", stage=False)
            continue
        except (OSError, ValueError) as error:
            yield Damage(path, f"cannot be read ({error})", stage=False)
            continue
        try:
            # Measurements of the first stores carry no version.
            check_schema(path, {"schema": 1, **value} if path.parent.name == "recipes" else value)
        except NewerSchemaError:
            raise
        except StoreError as error:
            yield Damage(path, error.what, stage=False)
