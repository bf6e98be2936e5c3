"""Tasks from their official files: find what a composition needs, read it, join it, cut a development set if needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from adapterxfer.catalog import AS_RELEASED
from adapterxfer.data.choices import REPAIR_FROM
from adapterxfer.data.compositions import COMPOSITIONS, Parts
from adapterxfer.data.data_sets import DATASETS, patterns
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.held_out import CARVED_DEV, carve, keep
from adapterxfer.data.layouts import Layout, layout_files, read_layout
from adapterxfer.data.pools import join_languages
from adapterxfer.errors import DataError

UNKNOWN_TAG = "UNK"
"""Tag of words whose supertag does not occur in the training data."""


@dataclass(frozen=True, slots=True)
class Need:
    """One file, or several, that a task needs.

    Attributes:
        role: ``train``, ``dev`` or ``test`` of the task.
        dataset, split, language: what it is of.
        found: relative paths.
        expected: the patterns, for messages.
        optional: whether the task works without it.
        ambiguous: whether several files match where one is meant.
    """

    role: str
    dataset: str
    split: str
    language: str
    found: tuple[str, ...]
    expected: tuple[str, ...]
    optional: bool
    ambiguous: bool

    @property
    def problem(self) -> str:
        """What is wrong; empty if nothing."""
        place = f"{self.role} {self.language} ({self.dataset})"
        if self.ambiguous:
            return f"{place}: {len(self.found)} files match ({', '.join(self.found)}); keep one"
        if not self.found and not self.optional:
            return f"{place}: missing, expected */{' or */'.join(self.expected)} (also .gz, .bz2)"
        return ""


class Index:
    """Relative paths by their last part, without the endings of packed files."""

    def __init__(self, files: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[str, str]]] = {}
        for path in files:
            plain = path.removesuffix(".gz").removesuffix(".bz2")
            self._by_name.setdefault(plain.rpartition("/")[2], []).append((plain, path))

    def match(self, pattern: str) -> list[str]:
        """Paths whose last parts match; ``*`` matches within a part."""
        tail = pattern.rpartition("/")[2]
        names = [tail] if tail in self._by_name else []
        if not names and any(sign in tail for sign in "*?["):
            names = [name for name in self._by_name if fnmatchcase(name, tail)]
        depth = pattern.count("/") + 1
        wanted = pattern.split("/")
        return sorted(
            path
            for name in names
            for plain, path in self._by_name[name]
            if len(parts := plain.split("/")[-depth:]) == depth
            and all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=True))
        )


def find(task: str, files: Iterable[str], languages: Sequence[str], *, without: Iterable[str] = ()) -> list[Need]:
    """Everything a task needs for these test languages, with what was found of it.

    Args:
        without: roles that a described layout serves.
    """
    composition, index = COMPOSITIONS[task], Index(files)
    wanted: list[tuple[str, str, str, str]] = [("train", *part) for part in composition.train]
    wanted += [("dev", *part) for part in composition.dev]
    if composition.test:
        wanted += [("test", composition.test, "test", code) for code in languages]
        spoken = composition.pool_languages(languages)
        wanted += [(split, composition.test, split, code) for split in composition.pools for code in spoken]
    wanted = [entry for entry in wanted if entry[0] not in set(without)]
    needs = []
    for role, dataset, split, language in wanted:
        for group in DATASETS[dataset].files[split]:
            expected = patterns(group, language)
            found = next((paths for pattern in expected if (paths := index.match(pattern))), [])
            several, optional = group[0].startswith("+"), group[0].startswith("?") or role == "dev"
            ambiguous = len(found) > 1 and not several
            needs.append(Need(role, dataset, split, language, tuple(found), expected, optional, ambiguous))
    if any(need.role == "dev" and need.found for need in needs):
        # A development set is cut from the training data only where there is none at all, never half of one.
        needs = [
            replace(need, optional=DATASETS[need.dataset].marked(need.split, need.expected))
            if need.role == "dev"
            else need
            for need in needs
        ]
    return needs


def read_official(
    task: str,
    root: Path,
    files: Iterable[str],
    languages: Sequence[str],
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    layouts: Mapping[str, Layout] | None = None,
    protocol: str = "",
) -> TaskData:
    """Read a task; arguments as in `adapterxfer.data.original.read_original`.

    Args:
        protocol: ``questions-as-released`` leaves XCOPA's questions as they are.
        layouts: role -> described layout; such a role is read from the files it means instead of the official ones.

    Raises:
        DataError: files are missing or damaged, labels were removed, or a split would be empty.
    """
    composition = COMPOSITIONS[task]
    layouts = layouts or {}
    needs = find(task, files, languages, without=layouts)
    if AS_RELEASED in protocol.split("/"):
        needs = [need for need in needs if need.language == REPAIR_FROM or not _repairs(need)]
    problems = [need.problem for need in needs if need.problem]
    if problems:
        raise DataError(f"{root}: {task}: {'; '.join(problems)}", fix="plan the recipe again with these files")
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    labels = composition.labels
    if composition.train:
        train, dev = (
            described(layouts[role], task, root, "en", notes)
            if role in layouts
            else _joined(parts, root, needs, role, notes)
            for role, parts in (("train", composition.train), ("dev", composition.dev))
        )
        if dev:
            dev = keep(dev, dev_examples, seed)
        else:
            train, dev = carve(train, CARVED_DEV if dev_examples is None else dev_examples, seed)
            notes["development examples cut from the training file"] = len(dev)
        train = keep(train, train_examples, seed)
        if composition.format == "tagging" and not labels:
            labels, dev = _open_labels(train, dev, notes)
        splits = {("train", "en"): train, ("dev", "en"): dev}
    tests: dict[str, list[Example]] = {}
    for language in languages if composition.test else ():
        if "test" in layouts:
            found = described(layouts["test"], task, root, language, notes)
        else:
            found = read_part(composition.test, "test", language, root, needs, "test", notes)
        tests[language] = found
    if composition.joint:
        tests = join_languages(tests)
    for language, found in tests.items():
        splits[("test", language)] = keep(found, test_examples, seed)
    for split in composition.pools:
        for language in composition.pool_languages(languages):
            splits[(split, language)] = read_part(composition.test, split, language, root, needs, split, notes)
    return TaskData(task, composition.format, labels, splits, {name: n for name, n in sorted(notes.items()) if n})


def _repairs(need: Need) -> bool:
    """Whether a file is there for the questions of another language alone."""
    return need.dataset == "xcopa" and any(f".{REPAIR_FROM}." in pattern for pattern in need.expected)


def described(layout: Layout, task: str, root: Path, language: str, notes: Counter[str]) -> list[Example]:
    """Examples of a described layout.

    Raises:
        DataError: it means no file, or one that does not fit it.
    """
    paths = [root / path for path in layout_files(layout, root, language)]
    if not paths:
        raise DataError(
            f"{root}: {task}: no file {layout.path.format(lang=language)}", fix="correct the path of the layout"
        )
    return read_layout(layout, task, paths, language, notes)


def read_part(
    dataset: str, split: str, language: str, root: Path, needs: Sequence[Need], role: str, notes: Counter[str]
) -> list[Example]:
    """Examples of one data set, split and language from the files found for it; none where there are none."""
    paths = [
        root / path
        for need in needs
        if (need.role, need.dataset, need.split, need.language) == (role, dataset, split, language)
        for path in need.found
    ]
    return DATASETS[dataset].reader(split)(list(dict.fromkeys(paths)), language, notes) if paths else []


def _joined(parts: Parts, root: Path, needs: Sequence[Need], role: str, notes: Counter[str]) -> list[Example]:
    """Examples of several data sets; ids carry the data set where there are several. All count as English."""
    joined: list[Example] = []
    for dataset, split, language in parts:
        for example in read_part(dataset, split, language, root, needs, role, notes):
            prefix = f"{dataset}/" if len(parts) > 1 else ""
            joined.append(
                replace(
                    example,
                    language="en",
                    example_id=prefix + example.example_id,
                    cluster_id=prefix + example.cluster_id,
                )
            )
    return joined


def _open_labels(
    train: list[Example], dev: list[Example], notes: Counter[str]
) -> tuple[tuple[str, ...], list[Example]]:
    """Tags of the training data in alphabetic order and `UNKNOWN_TAG`, which replaces all others."""
    known = {tag for example in train if isinstance(example, TaggingExample) for tag in example.tags}
    made: list[Example] = []
    for example in dev:
        assert isinstance(example, TaggingExample)
        tags = tuple(tag if tag in known else UNKNOWN_TAG for tag in example.tags)
        notes["development tags not in the training data"] += sum(
            a != b for a, b in zip(tags, example.tags, strict=True)
        )
        made.append(replace(example, tags=tags))
    return (*sorted(known - {UNKNOWN_TAG}), UNKNOWN_TAG), made
