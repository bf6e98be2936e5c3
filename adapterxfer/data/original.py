"""Tasks read from their original files: which reader, which split, which examples when a recipe asks for fewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.catalog import DataSet, DataSplit, TaskLike, TaskSpec, name_of, parts_of_task
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.held_out import carve, carved_size, keep, keep_tests
from adapterxfer.data.layout_reading import LANGUAGE
from adapterxfer.data.layouts import Layout, layout_files, parse_roles, read_layout
from adapterxfer.data.official import Need, find
from adapterxfer.data.pools import join_languages
from adapterxfer.data.readers import reader_of
from adapterxfer.data.repeats import parallel_by
from adapterxfer.errors import DataError

UNKNOWN_TAG = "UNK"
"""Tag of words whose supertag does not occur in the training data."""


def read_original(
    task: TaskLike,
    root: Path,
    files: Iterable[str],
    languages: Sequence[str],
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    layouts: Mapping[str, Any] | None = None,
    protocol: str = "",
    same_items: bool = False,
) -> TaskData:
    """Read a task.

    Where there is no development set beside what is tested, whole clusters (paragraphs) are cut from the English
    training data; they serve for selection only and are not trained on.

    Args:
        task: a name of the catalogue, or the entry of a task that a recipe declares.
        root: the data root.
        files: relative paths to choose from, normally those of the stage's identity.
        languages: test languages, in the order wanted; empty for an intermediate task.
        train_examples: how many to keep; ``None`` keeps all.
        dev_examples: the same; where the set is cut from the training data, ``None`` means `CARVED_DEV`.
        test_examples: the same, per language.
        seed: chooses which are kept.
        layouts: role -> layout as the user described it (see `adapterxfer.data.layouts`): such a role is read from the
            files it means instead of the official ones.
        protocol: decides which files are read and how, for instance the words of treebanks.
        same_items: keep the same items in every language of a parallel test set, also where their ids differ.

    Raises:
        DataError: files are missing or damaged, labels were removed, or a split would be empty.
    """
    material = parts_of_task(task, protocol)
    described_roles = parse_roles(task, layouts) if layouts else {}
    needs = needed_under(find(task, files, languages, protocol=protocol, without=described_roles), protocol)
    problems = [need.problem for need in needs if need.problem]
    if problems:
        raise DataError(f"{root}: {name_of(task)}: {'; '.join(problems)}", fix="plan the recipe again with these files")
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    labels = material.labels
    if material.train:
        train, dev = (
            described(described_roles[role], task, root, "en", notes)
            if role in described_roles
            else _joined(parts, root, needs, role, notes)
            for role, parts in (("train", material.train), ("dev", material.dev))
        )
        if dev:
            dev = keep(dev, dev_examples, seed)
        else:
            size = carved_size(dev_examples, len(train), declared=isinstance(task, TaskSpec))
            train, dev = carve(train, size, seed)
            notes["development examples cut from the training file"] = len(dev)
        train = keep(train, train_examples, seed, last=material.from_end)
        if material.format == "tagging" and not labels:
            labels, dev = _open_labels(train, dev, notes)
        splits = {("train", "en"): train, ("dev", "en"): dev}
    if (test := material.test) is not None:
        layout = described_roles.get("test")
        tests = read_tests(task, root, needs, languages, layout=layout, protocol=protocol, notes=notes)
        if material.joint:
            tests = join_languages(tests)
        by = parallel_by(tests, test.clusters, material.format) if same_items else ""
        tests = keep_tests(tests, test_examples, seed, by=by)
        splits |= {("test", language): examples for language, examples in tests.items()}
        for split in material.pools:
            for language in material.pool_languages(languages):
                splits[(split, language)] = read_part(
                    test, split, language, root=root, needs=needs, role=split, notes=notes
                )
    return TaskData(name_of(task), material.format, labels, splits, {name: n for name, n in sorted(notes.items()) if n})


def read_tests(
    task: TaskLike,
    root: Path,
    needs: Sequence[Need],
    languages: Sequence[str],
    *,
    layout: Layout | None,
    protocol: str,
    notes: Counter[str],
) -> dict[str, list[Example]]:
    """Test examples of each language, all of them.

    Args:
        needs: official files that were found.
        layout: that of the test role, if it is described.

    Raises:
        DataError: a file is damaged, or does not fit its layout.
    """
    test = parts_of_task(task, protocol).test
    assert test is not None
    return {
        language: described(layout, task, root, language, notes)
        if layout is not None
        else read_part(test, "test", language, root=root, needs=needs, role="test", notes=notes)
        for language in languages
    }


def needed_under(needs: Sequence[Need], protocol: str) -> list[Need]:
    """Needs without the files of another language that are there to repair questions, where these stay as released."""
    chosen = set(protocol.split("/"))
    return [
        need
        for need in needs
        if not (need.data.repair is not None and need.data.repair.unless in chosen and _repairs(need))
    ]


def _repairs(need: Need) -> bool:
    """Whether a file is there for the questions of another language alone."""
    return need.marked and need.data.repair is not None and need.language != need.data.repair.language


def described(layout: Layout, task: TaskLike, root: Path, language: str, notes: Counter[str]) -> list[Example]:
    """Examples of a described layout.

    Raises:
        DataError: it means no file, or one that does not fit it.
    """
    paths = [root / path for path in layout_files(layout, root, language)]
    if not paths:
        raise DataError(
            f"{root}: {name_of(task)}: no file {layout.path.replace(LANGUAGE, language)}",
            fix="correct the path of the layout",
        )
    return read_layout(layout, task, paths, language, notes)


def read_part(
    data: DataSet,
    split: str,
    language: str,
    *,
    root: Path,
    needs: Sequence[Need],
    role: str,
    notes: Counter[str],
) -> list[Example]:
    """Examples of one data set, split and language from the files found for it; none where there are none."""
    paths = [
        root / path
        for need in needs
        if (need.role, need.data.name, need.split, need.language) == (role, data.name, split, language)
        for path in need.found
    ]
    return reader_of(data, split)(list(dict.fromkeys(paths)), language, notes) if paths else []


def _joined(
    parts: Sequence[DataSplit], root: Path, needs: Sequence[Need], role: str, notes: Counter[str]
) -> list[Example]:
    """Examples of several data sets; ids carry the data set where there are several. All count as English."""
    joined: list[Example] = []
    for data, split, language in parts:
        for example in read_part(data, split, language, root=root, needs=needs, role=role, notes=notes):
            prefix = f"{data.name}/" if len(parts) > 1 else ""
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
    relabelled: list[Example] = []
    for example in dev:
        assert isinstance(example, TaggingExample)
        tags = tuple(tag if tag in known else UNKNOWN_TAG for tag in example.tags)
        notes["development tags not in the training data"] += sum(
            a != b for a, b in zip(tags, example.tags, strict=True)
        )
        relabelled.append(replace(example, tags=tags))
    return (*sorted(known - {UNKNOWN_TAG}), UNKNOWN_TAG), relabelled
