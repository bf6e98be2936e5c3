"""Where the result of a key lies, without listing folders: a study has thousands of stages, and each of them looks.

    ROOT/.names/<key16>            ``<kind>/<slug>-<key16>``, written before the folder gets that name

A name is a hint: it may be older than the folder, or its folder may be gone, never wrong in the other direction. Once
`fill` has named what was there (stores of earlier versions have no names, copied folders neither), a key without a
name has no result, because everything that is committed later is named first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from adapterxfer.store.keys import SHORT_KEY


class Names:
    """The folder ``.names/`` of a store.

    Args:
        root: of the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / ".names"

    def put(self, folder: Path) -> None:
        """Name a folder ``<kind>/<slug>-<key16>`` before it is moved there; needs the stage's lock."""
        text = f"{folder.parent.name}/{folder.name}"
        path = self._folder / folder.name[-SHORT_KEY:]
        try:
            path.write_text(text, encoding="utf-8")
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def get(self, key: str) -> Path | None:
        """The folder with this name, if it is there."""
        short = key[:SHORT_KEY]
        try:
            kind, _, name = (self._folder / short).read_text(encoding="utf-8").partition("/")
        except (OSError, ValueError):
            return None
        # The file may be damaged: what it says is used only where it leads to a folder of this key in this store.
        if not kind or "/" in name or kind.startswith(".") or not name.endswith(short):
            return None
        folder = self._root / kind / name
        return folder if folder.is_dir() else None

    def fill(self, completed: Mapping[str, Path]) -> None:
        """Name whatever has a result and no name."""
        named = {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()
        for key, folder in completed.items():
            if key not in named:
                self.put(folder)

    def forget(self, key: str) -> None:
        """Remove the name of a result that is removed."""
        with suppress(OSError):
            (self._folder / key[:SHORT_KEY]).unlink()
