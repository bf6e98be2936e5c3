"""The shape of an entry about one data set: its official files and their reader, and its repository on the Hub.

A reader is named as ``module:function`` and imported when it reads, so that listing tasks stays cheap. An entry that
lacks a part cannot be constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from adapterxfer.errors import CatalogueError

Group = tuple[str, ...]
"""Alternative patterns of one file; ``?`` before the first marks an optional file, ``+`` one or several files."""

Files = Mapping[str, tuple[Group, ...]]
"""Split -> the groups of its files."""

Splits = Mapping[str, tuple[str, ...]]

CONVERTED = "refs/convert/parquet"
"""Branch of converted files; without a folder it would silently join all configurations of a repository."""

COMMIT_LENGTH = 40
"""Hexadecimal digits of a commit."""

USUAL: Splits = {"train": ("train",), "dev": ("validation",), "test": ("test",)}
"""Role -> splits, where a repository has all three under their usual names."""

TRAIN: Splits = {"train": ("train",), "dev": ("validation",)}
"""The same without a labelled test split."""

NONCOMMERCIAL = "non-commercial"

_READER = re.compile(r"[a-z_][\w.]*:[a-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternate:
    """Another repository with the same examples, tried where the first cannot be loaded.

    Attributes:
        repository, revision, config, folder: as in `HubSource`.
        splits, columns: None where they are those of the first.
        language_column: tells the languages of a joint configuration apart.
        raw_labels: as in `HubSource`.
    """

    repository: str
    revision: str = ""
    config: str = ""
    folder: str = ""
    splits: Splits | None = None
    columns: Mapping[str, str] | None = None
    language_column: str = ""
    raw_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """Where a data set is on the Hub, and how its rows become examples.

    Attributes:
        repository: ``OWNER/NAME``.
        revision: branch or commit; empty for the main branch.
        config: configuration with ``{lang}`` (code of the study) or ``{code}`` (code of the data set).
        folder: folder to load instead of a configuration, for converted branches.
        splits: role -> split names.
        columns: canonical field -> column, or several columns with blanks between.
        raw_labels: raw value -> label name, where the column holds neither names nor ids in official order.
        language_column, language_prefix: how to tell languages of a joint configuration apart: by a column, or by the
            code of the language that begins every id.
        alternates: other repositories with the same examples, in the order in which they are tried.
        rows_reader: ``module:function`` for repositories whose rows are not one example each.
        lines: split -> file of JSON lines in the repository, with ``{lang}``, for repositories that are read file by
            file: keys that only some lines have make loaders refuse them as tables.
        lines_reader: ``module:function`` that reads those files.

    Raises:
        CatalogueError: a part is missing; names all that are.
    """

    repository: str
    revision: str = ""
    config: str = ""
    folder: str = ""
    splits: Splits = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    raw_labels: Mapping[str, str] = field(default_factory=dict)
    language_column: str = ""
    language_prefix: bool = False
    alternates: tuple[Alternate, ...] = ()
    rows_reader: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)
    lines_reader: str = ""

    def __post_init__(self) -> None:
        missing = []
        if not self.repository:
            missing.append("repository")
        if bool(self.splits) == bool(self.lines):
            missing.append("splits, or lines (one of them)")
        if bool(self.config) + bool(self.folder) + bool(self.lines) != 1:
            missing.append("config, folder or lines (exactly one)")
        if self.revision == CONVERTED and not self.folder:
            missing.append(f"folder (branch {CONVERTED} without one joins all languages)")
        if self.splits and not self.columns:
            missing.append("columns")
        if self.lines and not self.lines_reader:
            missing.append("lines_reader")
        missing += _misnamed(rows_reader=self.rows_reader, lines_reader=self.lines_reader)
        require(f"repository '{self.repository}'", missing)

    @property
    def pinned(self) -> str | None:
        """The commit that is read; None where no commit is known to be right, and whatever the branch holds is read."""
        return self.revision if len(self.revision) == COMMIT_LENGTH else None

    def serves(self, split: str) -> bool:
        """Whether the repository holds a split."""
        return split in self.splits or split in self.lines

    def places(self) -> tuple[HubSource, ...]:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRule:
    """How examples group: what statistics resample together.

    Attributes:
        unit: in words.
        parallel: whether ids mean the same item in every language, so that languages are resampled together.
        same_items: where ``parallel`` does not hold, what else tells that rows of different languages are one item:
            the ``ids`` of examples, but not those of their clusters, or the number of their ``rows``.
        consecutive: rows that stand together and are one cluster; 1 where rows do not group by their place.
    """

    unit: str
    parallel: bool = False
    same_items: Literal["", "ids", "rows"] = ""
    consecutive: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Questions of one language that replace broken ones of the others, item by item.

    Attributes:
        language: the one whose questions are right.
        unless: part of a protocol under which the questions stay as they were published.
    """

    language: str
    unless: str


class DataSplit(NamedTuple):
    """One split of a data set in one language, as part of a task."""

    data: DataSet
    split: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set: files, reader, repository and facts.

    Attributes:
        name: unique; that of its task where a task is made of it alone.
        files: split -> groups of patterns below the data root; ``{lang}`` is the language, ``{code}`` its code in this
            data set, ``{folder}`` its name in ``folders``. File names are those of the original releases; where a name
            says too little (``train.jsonl``), its folder is part of the pattern. Several patterns are alternatives, the
            best first.
        reader: ``module:function``, files of one split and language -> examples.
        pool_reader: the same for splits that are pools of candidates.
        pair_reader: the same for training pairs, where they look otherwise than the test.
        dev_files, train_files: development and training files of any language, where ``files`` has English ones only.
        codes: language of the study -> code of the data set; empty where both write the same.
        folders: language of the study -> what its folder of files is called, where that is not the code.
        labels: names in official order as published; empty where the format has none or the data decide.
        clusters: how examples group.
        unanswerable: questions without an answer belong to it.
        hides_words: whether its reader leaves out words that some of its files hide for the licence of their texts.
        repair: questions taken from another language.
        hub: its repository; None where only original files exist.
        origin: where the original files are, for what no repository holds.
        citation: who made it.
        metric: official metric and protocol, in words.
        restricted: why it may not be used freely; empty where it may.
        sizes: examples by split, where the source states them (multilingual sets: per language where all agree).
        sizes_in: the same for single languages that differ: split -> language -> examples.
        refused: repositories of the same name that must not be used, and why.
        rows_only: it is read from its repository alone, so it has no files; only of tasks that a recipe declares.

    Raises:
        CatalogueError: a part is missing; names all that are.
    """

    name: str
    files: Files
    reader: str
    clusters: ClusterRule
    citation: str
    metric: str
    pool_reader: str = ""
    pair_reader: str = ""
    dev_files: tuple[Group, ...] = ()
    train_files: tuple[Group, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    unanswerable: bool = False
    hides_words: bool = False
    repair: Repair | None = None
    hub: HubSource | None = None
    origin: str = ""
    restricted: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    sizes_in: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    rows_only: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in ("name", "citation", "metric") if not getattr(self, name)]
        if not self.clusters.unit:
            missing.append("clusters.unit")
        if not self.rows_only:
            if not self.files or not all(groups and all(groups) for groups in self.files.values()):
                missing.append("files of every split")
            missing += [] if self.reader else ["reader"]
        missing += _misnamed(reader=self.reader, pool_reader=self.pool_reader, pair_reader=self.pair_reader)
        if self.hub is None and not self.origin:
            missing.append("hub, or origin")
        used = {source.repository for source in self.hub.places()} if self.hub is not None else set()
        missing += [f"a repository instead of {name} ({why})" for name, why in self.refused.items() if name in used]
        require(f"data set '{self.name}'", missing)

    def part(self, split: str, language: str = "en") -> DataSplit:
        """One split in one language, as part of a task."""
        return DataSplit(self, split, language)

    def reader_of(self, split: str) -> str:
        """``module:function`` that reads the files of a split."""
        if split.endswith("pool") and self.pool_reader:
            return self.pool_reader
        return self.pair_reader if split in ("train", "dev") and self.pair_reader else self.reader

    def code(self, language: str) -> str:
        """What the data set calls a language."""
        return self.codes.get(language, language)

    def patterns(self, group: Group, language: str) -> tuple[str, ...]:
        """The patterns of a group with a language filled in, without their marks."""
        code = self.code(language)
        words = {"lang": language, "code": code, "folder": self.folders.get(language, code)}
        return tuple(p.lstrip("?+").format(**words) for p in group)

    def development(self) -> tuple[Group, ...]:
        """Groups of the development files of any language; empty where there are none."""
        return self.dev_files or self.files.get("dev", ())

    def training(self) -> tuple[Group, ...]:
        """Groups of the training files of any language; empty where there are English ones only."""
        groups = self.train_files or self.files.get("train", ())
        return tuple(group for group in groups if any("{lang}" in name or "{code}" in name for name in group))

    def size(self, split: str, language: str) -> int | None:
        """Examples by the source; None where it states none."""
        return self.sizes_in.get(split, {}).get(language, self.sizes.get(split))

    def on_hub(self, split: str) -> bool:
        """Whether a repository holds a split."""
        return self.hub is not None and self.hub.serves(split)

    @property
    def repository(self) -> str:
        """Repository on the Hub; empty where there is none."""
        return self.hub.repository if self.hub is not None else ""


def three(name: str, kinds: tuple[str, str, str], ends: tuple[str, ...]) -> dict[str, tuple[Group, ...]]:
    """Files of train, dev and test that differ in one word, ``{kind}``."""
    return {
        split: (tuple(f"{name.format(kind=kind)}{end}" for end in ends),)
        for split, kind in zip(("train", "dev", "test"), kinds, strict=True)
    }


def _misnamed(**readers: str) -> list[str]:
    """Readers that are named, but not as ``module:function``."""
    return [f"{name} as module:function" for name, value in readers.items() if value and not _READER.fullmatch(value)]


def require(subject: str, missing: list[str]) -> None:
    """Refuse an entry that lacks something.

    Raises:
        CatalogueError: ``missing`` is not empty.
    """
    if missing:
        raise CatalogueError(
            f"{subject}: missing {'; '.join(missing)}",
            fix="complete the entry: docs/tasks.md says what each field means",
        )


def each(parts: tuple[DataSplit, ...]) -> Iterator[DataSet]:
    """The data sets of some parts, each once."""
    yield from {data.name: data for data, _, _ in parts}.values()
