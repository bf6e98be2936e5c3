"""Files that survive a crash: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from adapterxfer.durable.files import flush_folder
from adapterxfer.errors import StoreError


class FileFacts(TypedDict):
    """What identifies the content of one file."""

    sha256: str
    bytes: int


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace ``path`` by this JSON in one step: a reader sees the old file or the new one, never a part."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    flush_folder(path.parent)


def artefacts(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` in sorted order.

    Raises:
        StoreError: something there is neither a file nor a folder; a link could lead out of the store.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError(
                f"{path.relative_to(folder)}: an artefact must be a plain file",
                fix="copy the content instead of a link",
            )
        if path.is_file():
            yield path


def hash_file(path: Path, *, flush: bool = False) -> FileFacts:
    """sha256 and size of a file; with ``flush`` its content is forced to the disk too."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        if flush and os.name != "nt":
            os.fsync(file.fileno())
    return {"sha256": sha256, "bytes": size}


def seal(folder: Path) -> dict[str, FileFacts]:
    """Flush every file and folder below ``folder`` and return the facts of the files by relative path."""
    facts = {path.relative_to(folder).as_posix(): hash_file(path, flush=True) for path in artefacts(folder)}
    for inner in sorted(path for path in folder.rglob("*") if path.is_dir()):
        flush_folder(inner)
    return facts
