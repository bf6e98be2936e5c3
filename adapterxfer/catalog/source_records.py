"""The shape of an entry about where a task comes from; facts as data stand in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Splits = Mapping[str, tuple[str, ...]]

CONVERTED = "refs/convert/parquet"
"""Branch of converted files; without a folder it would silently join all configurations of a repository."""


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another repository with the same examples, tried where the first cannot be loaded.

    Attributes:
        repository, revision, config, folder: as in `TaskSource`.
        splits, columns: None where they are those of the first.
        language_column: tells the languages of a joint configuration apart.
        raw_labels: as in `TaskSource`.
    """

    repository: str
    revision: str = ""
    config: str = ""
    folder: str = ""
    splits: Mapping[str, tuple[str, ...]] | None = None
    columns: Mapping[str, str] | None = None
    language_column: str = ""
    raw_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSource:
    """One data set.

    Attributes:
        repository: on the Hub; empty where only original files exist.
        revision: branch or commit; empty for the main branch.
        config: configuration with ``{lang}`` (code of the study) or ``{code}`` (code of the repository).
        folder: folder to load instead of a configuration, for converted branches.
        splits: role -> split names.
        columns: canonical field -> column.
        labels: names in official order; empty where the format has none.
        raw_labels: raw value -> label name, where the column holds neither names nor ids in official order.
        language_column, language_prefix: how to tell languages of a joint configuration apart.
        swapped: the repository has premise and hypothesis exchanged.
        alternates: other repositories with the same examples, in the order in which they are tried.
        clusters: what is resampled together.
        metric: official metric and protocol.
        citation: who made it.
        restricted: why it may not be used freely; empty where it may.
        sizes: examples by split, where the source states them (multilingual sets: per language where all agree).
        lines: split -> file of JSON lines in the repository, with ``{lang}``, for repositories that are read file by
            file: keys that only some lines have make loaders refuse them as tables.
        origin: where the original files are, for what no repository holds.
    """

    repository: str
    revision: str
    config: str
    splits: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    labels: tuple[str, ...]
    clusters: str
    metric: str
    citation: str
    folder: str = ""
    raw_labels: Mapping[str, str] = field(default_factory=dict)
    language_column: str = ""
    language_prefix: bool = False
    swapped: bool = False
    alternates: tuple[Alternate, ...] = ()
    restricted: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""

    @property
    def pinned(self) -> str | None:
        """The commit that is read; None where no commit is known to be right, and whatever the branch holds is read."""
        return self.revision if len(self.revision) == COMMIT_LENGTH else None

    def places(self) -> tuple[TaskSource, ...]:
        """The source itself and its alternates as sources, in the order in which they are tried."""
        return (
            self,
            *(
                replace(
                    self,
                    repository=other.repository,
                    revision=other.revision,
                    config=other.config,
                    folder=other.folder,
                    splits=self.splits if other.splits is None else other.splits,
                    columns=self.columns if other.columns is None else other.columns,
                    language_column=other.language_column,
                    raw_labels=other.raw_labels or self.raw_labels,
                    alternates=(),
                )
                for other in self.alternates
            ),
        )


COMMIT_LENGTH = 40
"""Hexadecimal digits of a commit."""

USUAL: Splits = {"train": ("train",), "dev": ("validation",), "test": ("test",)}
"""Role -> splits, where a repository has all three under their usual names."""

TRAIN: Splits = {"train": ("train",), "dev": ("validation",)}
"""The same without a labelled test split."""

NONCOMMERCIAL = "non-commercial"
