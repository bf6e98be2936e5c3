"""Results on their way between machines: one uncompressed tar file of whole stages.

An archive comes from outside: nothing in it is believed. Names cannot leave their folder, only plain files are taken,
every file must be named by its stage's record with its size, and a stage is committed only after every hash matched.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from adapterxfer.durable.files import flush_folder
from adapterxfer.errors import StoreError
from adapterxfer.store.differences import Difference, compare_results
from adapterxfer.store.record import SCHEMA, STAGE_FILE, StageRecord, check_schema, is_inside, read_record
from adapterxfer.store.store import RESERVED, Store

MANIFEST = "adapterxfer-store.json"
MAX_RECORD = 64 * 1024 * 1024
"""Bytes of a stage.json or of the manifest; the report of 10,000 cells has 4 MiB."""

CHUNK = 1024 * 1024


@dataclass(slots=True)
class Imported:
    """What an import did.

    Attributes:
        added: folders that are new in the store.
        same: stages that were there already with the same results.
        differences: stages that were there already with other results; those that were there stay.
    """

    added: list[Path] = field(default_factory=list)
    same: list[Path] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def export_stages(folders: Iterable[Path], target: Path) -> int:
    """Write whole stages into an archive; the same stages give the same bytes.

    Args:
        folders: committed folders; each is checked against its record first.
        target: the archive; appears only when it is complete.

    Returns:
        number of stages.

    Raises:
        StoreError: a stage is damaged, or the archive cannot be written.
    """
    chosen = sorted(folders, key=lambda folder: (folder.parent.name, folder.name))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with beside.open("xb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                names = [f"{folder.parent.name}/{folder.name}" for folder in chosen]
                manifest = json.dumps({"schema": SCHEMA, "stages": names}, indent=1).encode()
                _add(archive, MANIFEST, io.BytesIO(manifest), len(manifest))
                for folder, name in zip(chosen, names, strict=True):
                    record = read_record(folder)
                    damage = record.damage(rehash=True)
                    if damage:
                        raise StoreError(f"{folder}: {'; '.join(damage)}", fix="adapterxfer store verify --set-aside")
                    for inner in (STAGE_FILE, *sorted(record.artefacts)):
                        with (folder / inner).open("rb") as content:
                            _add(archive, f"{name}/{inner}", content, os.fstat(content.fileno()).st_size)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"{target}: cannot be written ({error.strerror or error})", fix="choose another place with --to"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return len(chosen)


def import_stages(store: Store, source: Path) -> Imported:
    """Take the stages of an archive into the store; those that are there already are compared.

    Raises:
        StoreError: the archive is damaged or not what `export_stages` writes, or the store cannot be written. Stages
            that were complete before the damage stay imported.
    """
    done = Imported()
    store.open()
    try:
        with tarfile.open(source, mode="r:") as archive:
            members = iter(archive)
            manifest = _read_manifest(archive, next(members, None), source)
            member = next(members, None)
            for name in manifest:
                member = _import_stage(store, archive, name, member, members, source=source, done=done)
            if member is not None:
                raise _bad(source, f"member {member.name!r} belongs to no stage")
    except (tarfile.TarError, EOFError) as error:
        raise _bad(source, str(error)) from error
    except OSError as error:
        raise StoreError(
            f"import {source}: {error.strerror or error}", fix="give a readable archive and a writable --store"
        ) from error
    return done


def _import_stage(
    store: Store,
    archive: tarfile.TarFile,
    name: str,
    member: tarfile.TarInfo | None,
    members: Iterator[tarfile.TarInfo],
    *,
    source: Path,
    done: Imported,
) -> tarfile.TarInfo | None:
    """Take one stage; returns the first member behind it."""
    kind, _, folder_name = name.partition("/")
    if member is None or member.name != f"{name}/{STAGE_FILE}":
        raise _bad(source, f"{name}/{STAGE_FILE} is not where it should be")
    text = _read(archive, member, source)
    holder = store.root / ".scratch" / f"{folder_name[-16:]}-{secrets.token_hex(4)}" / folder_name
    with store.locked(folder_name[-16:]):
        try:
            holder.mkdir(parents=True)
            with (holder / STAGE_FILE).open("xb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            record = read_record(holder)
            if record.stage.kind != kind:
                raise _bad(source, f"{name}: holds a stage of kind {record.stage.kind!r}")
            member = next(members, None)
            for inner in sorted(record.artefacts):
                if member is None or member.name != f"{name}/{inner}":
                    raise _bad(source, f"{name}/{inner} is not where it should be")
                _extract(archive, member, holder / inner, record.artefacts[inner], source)
                member = next(members, None)
            _settle(store, record, kind, done)
        finally:
            shutil.rmtree(holder.parent, ignore_errors=True)
    return member


def _settle(store: Store, record: StageRecord, kind: str, done: Imported) -> None:
    """Commit an extracted stage, or compare it with the one that is there."""
    final = store.find(record.stage, named=True)
    if final is not None and not store.intact(final, record.stage, rehash=True):
        difference = compare_results(read_record(final), record)
        if difference is None:
            done.same.append(final)
            return
        done.differences.append(difference)
        difference.write(store.root)
        return
    if final is not None:
        store.set_aside(final)
    destination = store.root / kind / record.folder.name
    for path in (record.folder, *record.folder.rglob("*")):
        if path.is_dir():
            flush_folder(path)
    store.place(record.folder, destination)
    done.added.append(destination)


def _read_manifest(archive: tarfile.TarFile, member: tarfile.TarInfo | None, source: Path) -> list[str]:
    if member is None or member.name != MANIFEST:
        raise _bad(source, f"it does not begin with {MANIFEST}")
    try:
        value = json.loads(_read(archive, member, source))
    except ValueError as error:
        raise _bad(source, f"{MANIFEST} is not JSON") from error
    check_schema(source / MANIFEST, value)
    names = value.get("stages")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _bad(source, f"{MANIFEST} lists no stages")
    for name in names:
        kind = name.partition("/")[0]
        if not is_inside(name) or name.count("/") != 1 or kind in RESERVED or name.startswith(".") or "/." in name:
            raise _bad(source, f"{name!r} is not the name of a stage")
    return [str(name) for name in names]


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, source: Path) -> bytes:
    if not member.isreg() or member.size > MAX_RECORD:
        raise _bad(source, f"member {member.name!r} is not a plain file of at most {MAX_RECORD >> 20} MiB")
    return _open(archive, member).read()


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, destination: Path, facts: Any, source: Path) -> None:
    """Copy one file and compare size and hash on the way."""
    if not member.isreg() or member.size != facts["bytes"]:
        raise _bad(source, f"member {member.name!r} is not the file of {facts['bytes']} bytes that its record names")
    destination.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    content = _open(archive, member)
    with destination.open("xb") as file:
        while chunk := content.read(CHUNK):
            sha256.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if sha256.hexdigest() != facts["sha256"]:
        raise _bad(source, f"member {member.name!r}: sha256 does not match")


def _open(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    assert content is not None  # callers checked that it is a plain file
    return content


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    """A member without owner, mode or time of its own."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    archive.addfile(member, content)


def _bad(source: Path, cause: str) -> StoreError:
    return StoreError(f"archive {source}: {cause}", fix="export again with `adapterxfer store export` and copy anew")
