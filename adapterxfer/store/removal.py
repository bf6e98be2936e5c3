"""Removing what no recipe needs any more."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.errors import StoreError
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.locks import StageBusyError
from adapterxfer.store.store import Store


@dataclass(frozen=True, slots=True)
class Garbage:
    """What could go.

    Attributes:
        stages: committed folders that no recipe references -> bytes.
        leftovers: damaged folders, failure records, checkpoints of such stages and states of frozen layers -> bytes.
        kept: number of committed folders that stay.
    """

    stages: dict[Path, int]
    leftovers: dict[Path, int]
    kept: int

    @property
    def bytes(self) -> int:
        """Everything together."""
        return sum(self.stages.values()) + sum(self.leftovers.values())


def find_garbage(store: Store, referenced: Collection[str]) -> Garbage:
    """What lies in the store and is not referenced; removes nothing.

    Args:
        referenced: keys (full or short) of all stages that must stay, inputs included.
    """
    short = {key[:SHORT_KEY] for key in referenced}
    stages, kept = {}, 0
    for folder in store.folders():
        if folder.name[-SHORT_KEY:] in short:
            kept += 1
        else:
            stages[folder] = size_of(folder)
    leftovers = [*(store.root / "damaged").glob("*/*")]
    leftovers += [path for path in (store.root / "failed").glob("*.json") if path.stem not in short]
    leftovers += [path for path in (store.root / ".resume").glob("*") if path.name not in short]
    leftovers += [*store.states_folder.glob("*")]
    return Garbage(stages, {path: size_of(path) for path in sorted(leftovers)}, kept)


def remove(store: Store, garbage: Garbage) -> list[Path]:
    """Remove it; a folder leaves its place in one step, so that no half of it is ever taken for a result.

    Returns:
        what was removed; a stage that somebody makes at this moment stays.

    Raises:
        StoreError: a run is in progress in this store.
    """
    if store.busy():
        raise StoreError(
            f"store {store.root}: a run is in progress", fix="wait for it to end, or stop it, and try again"
        )
    store.open()
    removed = []
    for folder in garbage.stages:
        with suppress(StageBusyError), store.locked(folder.name[-SHORT_KEY:], wait_s=0):
            store.discard(folder)
            removed.append(folder)
    for path in garbage.leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path)
    return removed


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
