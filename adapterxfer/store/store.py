"""The store: one folder per stage, committed by a rename, looked up by key.

    ROOT/store.json                            schema version of the layout
    ROOT/<kind>/<slug>-<key16>/stage.json      a committed stage; written last, beside its artefacts and log.jsonl
    ROOT/failed/<key16>.json                   why a stage has no result
    ROOT/recipes/                              measured parts of recipes
    ROOT/speed.json                            how fast this kind of machine works (plan/speed.py)
    ROOT/damaged/                              folders that did not match their record; never used
    ROOT/differences/<key16>.json              imported results that differ from those made here
    ROOT/.scratch/<key16>-<random>/            stages being made; same file system, so that a rename commits them
    ROOT/.resume/<key16>/                      where a stage that was stopped goes on; removed when it is committed
    ROOT/.states/                              what trainings share and may compute again at any time
    ROOT/.names/<key16>                        name of the folder with this key (names.py)
    ROOT/.locks/, ROOT/.runs/                  held by those who make a stage or run a plan (locks.py)

A folder in its final place is complete, because the rename is the last step and everything was flushed before it. Locks
are the kernel's: they vanish with their process, so a free lock beside a scratch folder means that its maker is dead.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adapterxfer.durable.files import flush_folder
from adapterxfer.errors import StoreError
from adapterxfer.store.failures import Failure, FailureRecords
from adapterxfer.store.files import seal, write_json
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.locks import Locks, StageBusyError
from adapterxfer.store.names import Names
from adapterxfer.store.record import SCHEMA, STAGE_FILE, NewerSchemaError, StageRecord, check_schema, read_record
from adapterxfer.store.redaction import redact_json
from adapterxfer.store.sealing import seal_broken, sealed

LOG_FILE = "log.jsonl"
RESERVED = frozenset({"failed", "recipes", "damaged", "differences"})
_COMMITTED = re.compile(rf"(?:.+-)?([0-9a-f]{{{SHORT_KEY}}})\Z")
_PLAIN_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,199}\Z")


class Store:
    """Results of stages below one folder; reading needs no write permission and creates nothing.

    Args:
        root: the folder; made when the first stage begins.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.failures = FailureRecords(self.root / "failed")
        self.names = Names(self.root)
        self._locks = Locks(self.root, self._unwritable)
        self._scratch = self.root / ".scratch"
        self._resume = self.root / ".resume"

    # Reading

    def folders(self) -> Iterator[Path]:
        """Folders of all committed stages, by kind and name."""
        for kind in self._kinds():
            yield from sorted(folder for _, folder in _committed(kind))

    def completed(self) -> dict[str, Path]:
        """Short key -> folder of every committed stage: one folder listing per kind, no file is opened."""
        folders: dict[str, Path] = {}
        for kind in self._kinds():
            folders.update(_committed(kind))
        return folders

    def completed_of(self, kind: str) -> list[Path]:
        """Folders of all committed stages of one kind, by name; none where the store has none."""
        return sorted(folder for _, folder in _committed(self.root / kind))

    def find(self, stage: Stage, *, named: bool = False) -> Path | None:
        """Folder of a committed stage whatever its slug was then, or None; the record is not checked.

        Args:
            named: do not list the folder of its kind: enough while a driver works, which named all results first.
        """
        kind = self.root / stage.kind
        folder = kind / stage.folder_name
        if folder.is_dir():
            return folder
        named_folder = self.names.get(stage.key)
        if named_folder is not None or named:
            return named_folder
        return dict(_committed(kind)).get(stage.short_key)

    def folder(self, stage: Stage | str) -> Path:
        """Folder of a committed stage, by stage or by key (at least 16 digits).

        Raises:
            StoreError: it is not in the store.
        """
        if isinstance(stage, Stage):
            finished = self.find(stage)
        else:
            finished = self.names.get(stage) or self.completed().get(stage[:SHORT_KEY])
        if finished is None:
            name = f"{stage.kind} {stage.folder_name}" if isinstance(stage, Stage) else stage[:SHORT_KEY]
            raise StoreError(f"stage {name}: not in the store {self.root}", fix="run the recipe that makes it")
        return finished

    def read(self, stage: Stage | Path | str) -> StageRecord:
        """The record of a committed stage, by stage, key or folder.

        Raises:
            StoreError: it is not there, damaged, or of a newer schema.
        """
        record = read_record(stage if isinstance(stage, Path) else self.folder(stage))
        if isinstance(stage, Stage) and record.stage.key != stage.key:
            raise StoreError(f"{record.folder}: holds another stage", fix="run the recipe again")
        return record

    def intact(self, folder: Path, stage: Stage, *, rehash: bool = False) -> str:
        """What is wrong with a committed folder, or an empty text; with ``rehash`` every byte is compared.

        Raises:
            NewerSchemaError: a newer version wrote it.
        """
        try:
            record = read_record(folder)
        except NewerSchemaError:
            raise
        except StoreError as error:
            return error.what
        if record.stage.key != stage.key:
            return f"{folder.name}: holds stage {record.stage.short_key}"
        return "; ".join(record.damage(rehash=rehash))

    # Writing

    def open(self) -> None:
        """Make the store ready for writing and remove what dead processes left behind.

        Raises:
            StoreError: the folder cannot be written, or a newer version made it.
        """
        version = self.root / "store.json"
        try:
            for folder in (self.root, self._scratch, self._locks.stages):
                folder.mkdir(parents=True, exist_ok=True)
            if version.exists():
                self.check_version()
            else:
                write_json(version, sealed({"schema": SCHEMA}))
            self.names.fill(self.completed())
            self.clean()
        except OSError as error:
            raise self._unwritable(error) from error

    def check_version(self) -> None:
        """Refuse a store whose layout a newer version made."""
        version = self.root / "store.json"
        try:
            value = json.loads(version.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{version}: not JSON ({error})", fix='write {"schema": 1} into it') from error
        if seal_broken(value):
            raise StoreError(f"{version}: {seal_broken(value)}", fix='write {"schema": 1} into it')
        check_schema(version, value)

    @contextmanager
    def locked(self, stage: Stage | str, *, wait_s: float = -1.0) -> Iterator[None]:
        """Hold the lock of one stage across processes; ``wait_s`` 0 tries once, negative waits without end.

        Raises:
            StageBusyError: another process holds it for longer than ``wait_s``.
            StoreError: the lock cannot be made: full disk, read-only store.
        """
        with self._locks.held((stage.key if isinstance(stage, Stage) else stage)[:SHORT_KEY], wait_s):
            yield

    @contextmanager
    def scratch(self, stage: Stage) -> Iterator[Path]:
        """An empty folder to make one stage in; removed at the end unless it was committed. Needs the stage's lock."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        # Not tempfile.mkdtemp: its folders are private, and results are meant to be read as the umask allows.
        folder = self._scratch / f"{stage.short_key}-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, stage: Stage, scratch: Path, *, result: Mapping[str, Any], provenance: Mapping[str, Any]) -> Path:
        """Make a finished scratch folder the stage's result: checksums, stage.json, flush, rename.

        The caller holds the stage's lock and found no intact result; a damaged one in the same place is set aside.

        Raises:
            StoreError: the folder holds links, or the stage's kind or slug is no folder name.
        """
        if stage.kind in RESERVED or not _PLAIN_NAME.match(stage.kind) or not _PLAIN_NAME.match(stage.folder_name):
            raise StoreError(
                f"stage {stage.kind!r} {stage.folder_name!r}: not a plain folder name", fix="change the slug"
            )
        final = self.root / stage.kind / stage.folder_name
        shown: Mapping[str, Any] = redact_json(dict(result))
        record = StageRecord(final, stage, shown, redact_json(dict(provenance)), seal(scratch))
        write_json(scratch / STAGE_FILE, record.as_json())
        self.place(scratch, final)
        shutil.rmtree(self.resume_folder(stage), ignore_errors=True)
        return final

    def place(self, finished: Path, final: Path) -> None:
        """Move a finished and flushed folder to its place; what is there is set aside. Needs the stage's lock."""
        if not final.parent.is_dir():
            final.parent.mkdir(parents=True, exist_ok=True)
            flush_folder(self.root)
        if final.exists():
            self.set_aside(final)
        self.names.put(final)
        finished.rename(final)
        flush_folder(final.parent)
        self.failures.clear(final.name[-SHORT_KEY:])

    @property
    def states_folder(self) -> Path:
        """Where trainings keep what they share and can compute again; `store gc --delete` removes it."""
        return self.root / ".states"

    def resume_folder(self, stage: Stage) -> Path:
        """Where a stage may keep what it goes on from after a kill; needs the stage's lock. Not made here."""
        return self._resume / stage.short_key

    def set_aside(self, folder: Path) -> Path:
        """Move a damaged folder out of the way, so that it is never used and can still be looked at."""
        target = self.root / "damaged" / folder.parent.name
        target.mkdir(parents=True, exist_ok=True)
        destination = target / f"{folder.name}.{secrets.token_hex(4)}"
        folder.rename(destination)
        flush_folder(folder.parent)
        return destination

    def discard(self, folder: Path) -> None:
        """Remove a committed folder: out of its place in one step, then file by file. Needs the stage's lock."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        destination = self._scratch / f"{folder.name[-SHORT_KEY:]}-{secrets.token_hex(4)}"
        folder.rename(destination)
        flush_folder(folder.parent)
        self.names.forget(folder.name[-SHORT_KEY:])
        shutil.rmtree(destination, ignore_errors=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell others that a driver works on this store; `busy` sees it, whoever runs the stages."""
        with self._locks.running():
            yield

    @contextmanager
    def stop_file(self) -> Iterator[Path]:
        """A name in the store that no file has yet: a driver makes the file to ask its stages to save and end."""
        with self._locks.stop_file() as path:
            yield path

    def busy(self) -> list[str]:
        """Locks that somebody holds: short keys of stages in flight, and ``run`` for every driver."""
        return self._locks.busy()

    def forget_lock(self, stage: Stage) -> None:
        """Remove the lock file of a committed stage while holding it: whoever waits for it finds the result."""
        self._locks.forget(stage.short_key)

    def clean(self) -> int:
        """Remove scratch folders whose makers are dead; returns how many."""
        removed = 0
        for folder in list(self._scratch.iterdir()) if self._scratch.is_dir() else []:
            with suppress(StageBusyError), self.locked(folder.name[:SHORT_KEY], wait_s=0):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        # A maker that died between the commit and its last step left what it had gone on from.
        left = {folder.name: folder for folder in self._resume.iterdir()} if self._resume.is_dir() else {}
        for key in left.keys() & self.completed().keys() if left else ():
            shutil.rmtree(left[key], ignore_errors=True)
        return removed

    def scratch_log(self, stage: Stage, lines: int) -> list[str]:
        """Last lines of the log of a stage whose maker died and left its scratch folder."""
        collected: list[str] = []
        if self._scratch.is_dir():
            for path in sorted(self._scratch.glob(f"{stage.short_key}-*/{LOG_FILE}")):
                collected += path.read_text(encoding="utf-8", errors="replace").splitlines()
        return collected[-lines:]

    def record_failure(self, failure: Failure) -> None:
        """Keep a failure; a store that cannot be written (full disk) must not hide the failure itself."""
        with suppress(OSError):
            self.failures.write(failure)

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"store {self.root}: cannot be written ({error.strerror or error})",
            fix="free space, or choose a writable folder with --store; plan, status and report also work on a "
            "read-only store",
        )

    def _kinds(self) -> list[Path]:
        try:
            with os.scandir(self.root) as entries:
                return sorted(
                    Path(listed.path)
                    for listed in entries
                    if listed.is_dir() and listed.name not in RESERVED and not listed.name.startswith(".")
                )
        except FileNotFoundError:
            return []


def _committed(kind: Path) -> Iterator[tuple[str, Path]]:
    """Short key and folder of every stage of one kind."""
    with suppress(FileNotFoundError), os.scandir(kind) as entries:
        for listed in entries:
            match = _COMMITTED.match(listed.name)
            if match:
                yield match[1], kind / listed.name
