"""Where the examples of a task come from, as identity: what must change the key when the data change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapterxfer.catalog import Task
from adapterxfer.errors import DataError
from adapterxfer.recipe.recipe import Recipe

Source = dict[str, Any]
DescribeFiles = Callable[[str, str | None, Sequence[str]], Source]
DescribeWorld = Callable[[], str]

TEXT = "text"
"""The name under which the plain text of a corpus is described."""


def describe_files(task: str, data_root: str | None, languages: Sequence[str]) -> Source:
    """Names and checksums of the original files of a task under ``data_root``."""
    from adapterxfer.data.sources import describe_source

    return dict(describe_source(task, data_root, languages))


def world_fingerprint() -> str:
    """Fingerprint of the generator of the world's data."""
    from adapterxfer.world import generator_fingerprint

    return generator_fingerprint()


class Sources:
    """Describes each task of a recipe once, and collects what is missing."""

    def __init__(
        self,
        recipe: Recipe,
        files: DescribeFiles = describe_files,
        world: DescribeWorld = world_fingerprint,
    ) -> None:
        self._recipe = recipe
        self._files = files
        self._world = world
        self._known: dict[str, Source] = {}
        self._missing: list[DataError] = []

    def of_task(self, task: Task, languages: Sequence[str]) -> Source:
        """The ``source`` of a task's prepare stage."""
        if task.name not in self._known:
            self._known[task.name] = self._describe(task, languages)
        return self._known[task.name]

    def of_text(self, languages: Sequence[str]) -> Source:
        """The ``source`` of the corpus."""
        if TEXT not in self._known:
            self._known[TEXT] = self._describe_files(TEXT, languages)
        return self._known[TEXT]

    def check(self) -> None:
        """Raise one error that lists everything that is missing, if anything is.

        Raises:
            DataError: files of at least one task are missing or unreadable.
        """
        if not self._missing:
            return
        if len(self._missing) == 1:
            raise self._missing[0]
        text = "\n".join(error.what for error in self._missing)
        fixes = dict.fromkeys(error.fix for error in self._missing if error.fix)
        raise DataError(text, fix="; ".join(fixes))

    def _describe(self, task: Task, languages: Sequence[str]) -> Source:
        if task.source == "world":
            return {"kind": "world", "generator": self._world()}
        if task.source == "files":
            return self._describe_files(task.name, languages)
        # Not runnable yet, only counted: what would pin the data is not known before it is read.
        return {"kind": task.source, "repo": task.hub, "revision": None}

    def _describe_files(self, name: str, languages: Sequence[str]) -> Source:
        try:
            return self._files(name, self._recipe.data_root, languages)
        except DataError as error:
            self._missing.append(error)
            return {"kind": "files", "files": {}}


def backbone_identity(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add what every loaded backbone fixes: number format of its weights and attention implementation."""
    return {**entry, "dtype": "float32", "attention": "sdpa"}
