"""Original data files under a folder: found by their official names, read through gzip or bzip2, hashed once.

Torch-free and cheap: `plan` calls this to learn the identity of the data before anything runs.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from adapterxfer.errors import DataError

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
"""Ending of a packed file -> what opens it."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file, decompressing ``.gz`` and ``.bz2``; all line ends become line feeds.

    A byte-order mark at the beginning is no part of the text: in the first word it would make another word of it.

    Raises:
        DataError: the file cannot be read or decompressed, or is not UTF-8.
    """
    try:
        with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8-sig") as file:
            yield file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read ({error})", fix="download the file again; expected UTF-8 text"
        ) from None


def plain_name(path: str) -> str:
    """The last part of a relative path without its compression ending."""
    name = path.rsplit("/", 1)[-1]
    return name.removesuffix(".gz").removesuffix(".bz2")


def list_files(root: Path, apart: Sequence[str] = ()) -> list[str]:
    """Relative paths (with ``/``) of all files below ``root``, sorted; hidden folders are skipped.

    Args:
        apart: folders below ``root`` that are left out: those of translations, which bear the names of originals.

    Links to folders are followed, after everything that is really there: a folder that is reached in two ways keeps the
    paths it has without its links, and is listed once.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(
            f"data_root: no folder '{root}'",
            fix="give the folder of the original files: --set data_root=PATH, or --data-root PATH of `data check`",
        )
    paths: list[str] = []
    seen: set[str] = set()
    links: list[Path] = []
    starts = [root]
    while starts:
        for folder, below, names in os.walk(starts.pop(0)):
            seen.add(os.path.realpath(folder))
            inside = [Path(folder) / name for name in sorted(below) if not name.startswith(".")]
            links += [path for path in inside if path.is_symlink()]
            below[:] = [path.name for path in inside if os.path.realpath(path) not in seen]
            relative = Path(folder).relative_to(root).as_posix()
            paths += [name if relative == "." else f"{relative}/{name}" for name in names]
        # Of links into each other's folders the outermost goes first: names of folders are part of official names.
        links.sort(key=lambda path: (len(Path(os.path.realpath(path)).parts), path))
        while links and not starts:
            link = links.pop(0)
            # A link to a folder around this one would list half the disk.
            if os.path.realpath(link) not in seen and not root.resolve().is_relative_to(os.path.realpath(link)):
                starts.append(link)
    beside = tuple(f"{Path(folder).as_posix().rstrip('/')}/" for folder in apart)
    return sorted(path for path in paths if not path.startswith(beside)) if beside else sorted(paths)


def closed_links(root: Path) -> list[str]:
    """Links below ``root`` that are not followed, since they lead nowhere or to a folder around it; sorted."""
    closed = [path for path in list_files(root) if (root / path).is_symlink() and not (root / path).exists()]
    for folder, below, _ in os.walk(root):
        for name in below:
            path = Path(folder) / name
            target = Path(os.path.realpath(path))
            if path.is_symlink() and target in root.resolve().parents:
                closed.append(path.relative_to(root).as_posix())
    return sorted(closed)


class HashCache:
    """sha256 of files, remembered by path, size and modification time.

    The cache only saves time: a missing, damaged or read-only cache file means hashing again.

    Args:
        path: JSON file; default ``$XDG_CACHE_HOME/adapterxfer/hashes.json`` (``~/.cache`` where that is unset).
    """

    def __init__(self, path: Path | None = None) -> None:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        self._path = path or Path(base) / "adapterxfer" / "hashes.json"
        self._known = _remembered(self._path)
        self._changed = False

    def sha256(self, path: Path) -> str:
        """Hash of a file as `file_sha256` gives it.

        Raises:
            DataError: there is no such file: a link leads nowhere.
        """
        # Hashes of marked files were remembered with the mark in them before: they have names of their own now.
        return str(self.fact(path, "#unmarked" if has_mark(path) else "", file_sha256))

    def fact(self, path: Path, name: str, compute: Callable[[Path], object]) -> object:
        """What ``compute`` says of a file, remembered under a name beside the hash.

        Raises:
            DataError: there is no such file: a link leads nowhere.
        """
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})", fix="repair the link or remove it") from None
        stamp, key = [state.st_size, state.st_mtime_ns], str(path.resolve()) + name
        known = self._known.get(key)
        if isinstance(known, list) and len(known) == 3 and known[:2] == stamp:
            return known[2]
        value = compute(path)
        self._known[key] = [*stamp, value]
        self._changed = True
        return value

    def save(self) -> None:
        """Write what was learnt; silently skipped where the place is not writable."""
        if not self._changed:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False, encoding="utf-8") as file:
                json.dump(self._known, file)
            Path(file.name).replace(self._path)
            _READ[self._path] = (_version(self._path), self._known)
            self._changed = False


_READ: dict[Path, tuple[tuple[int, ...], dict[str, list[object]]]] = {}
"""Cache file -> its version when it was last read or written here, and its content.

A plan asks for one in 30 places; a file of some thousand entries takes 20 ms to read.
"""


def _version(path: Path) -> tuple[int, ...]:
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _remembered(path: Path) -> dict[str, list[object]]:
    """Content of a cache file, the same object until the file changes; empty where it cannot be read."""
    try:
        version = _version(path)
        if path not in _READ or _READ[path][0] != version:
            loaded = json.loads(path.read_text(encoding="utf-8"))
            _READ[path] = (version, loaded if isinstance(loaded, dict) else {})
    except (OSError, ValueError):
        return {}
    return _READ[path][1]


def has_mark(path: Path) -> bool:
    """Whether the text of a file begins with a byte-order mark; packed files are looked into."""
    try:
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            return bool(file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8)
    except (OSError, EOFError):
        return False  # whoever reads it says what is wrong


def file_sha256(path: Path) -> str:
    """sha256 of the bytes on disk (of the packed file where it is packed), as 64 hexadecimal digits.

    A byte-order mark does not count, as it is not read: the file has the hash that it has without one, and packed files
    with one have another hash than their bytes. So results from when the mark was read as text are not taken for these.
    """
    with path.open("rb") as file:
        if not has_mark(path):
            return hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix not in OPENERS:
            file.seek(len(codecs.BOM_UTF8))
            return hashlib.sha256(file.read()).hexdigest()
        packed = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"unmarked {packed}".encode()).hexdigest()
