"""Test items of a submission with equal texts: files of labels do not hold the texts, so they are read beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from adapterxfer.catalog import parts_of_task, protocols_of
from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.data.files import list_files
from adapterxfer.data.official import find
from adapterxfer.data.original import read_part
from adapterxfer.data.repeats import content_of, joined_clusters
from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BenchmarkTask
from adapterxfer.metrics.submission import LanguageCounts
from adapterxfer.metrics.submission_files import file_of, read_text

LINES = ("labels", "choices", "tags")
"""Readers of files that correspond line by line, without ids and texts."""

UNKNOWN = (
    "the label files hold no words, so sentences that occur several times count as independent, and intervals may be "
    "two to three times too narrow; give --data-root FOLDER with the official test files, or export from a study"
)
"""Of tags: the test sets of PAN-X and of some treebanks repeat up to a quarter of their sentences."""


def with_equal_texts(
    task: BenchmarkTask,
    submissions: Sequence[dict[str, LanguageCounts]],
    labels: Path,
    data_root: Path | None,
    *,
    declared: bool,
) -> list[dict[str, LanguageCounts]]:
    """The counts with clusters that hold equal texts together, as far as these are known.

    Args:
        labels: folder of the label files.
        data_root: folder of the test files, if it is given.
        declared: whether the clusters are those of a declaration.

    Raises:
        DataError: the test files below ``data_root`` are missing, or are others than those of the labels.
    """
    if data_root is None:
        if task.reader != "tags" or declared:
            return list(submissions)
        note = f"{task.name}: {UNKNOWN}"
        return [{code: replace(c, note=note) for code, c in submission.items()} for submission in submissions]
    first = submissions[0]
    examples = {code: _test(task, code, labels, data_root, len(first[code].counts)) for code in task.languages}
    rows = [(code, row) for code in task.languages for row in range(len(first[code].counts))]
    names = joined_clusters(
        # Equal names mean one cluster over languages of a parallel set only.
        [name if task.parallel else f"{code}:{name}" for code in task.languages for name in first[code].clusters],
        [(code, content_of(examples[code][row])) for code, row in rows],
    )
    by_language: dict[str, list[str]] = {code: [] for code in task.languages}
    for (code, _), name in zip(rows, names, strict=True):
        by_language[code].append(name)
    return [
        {code: replace(c, clusters=tuple(by_language[code])) for code, c in submission.items()}
        for submission in submissions
    ]


def _test(task: BenchmarkTask, code: str, labels: Path, data_root: Path, count: int) -> list[Example]:
    """The test examples of a language, in the order of the lines of its labels.

    Where the task can be read in several ways (joined words of treebanks), the one that fits the labels is taken.

    Raises:
        DataError: they are missing or others.
    """
    file, problem = file_of(labels, task, code), ""
    for protocol in ("", *(known.text for known in protocols_of(task.name).values())):
        test = parts_of_task(task.name, protocol).test
        assert test is not None  # every task of a benchmark is tested
        needs = find(task.name, list_files(data_root), [code], protocol=protocol)
        examples = read_part(test, "test", code, root=data_root, needs=needs, role="test", notes=Counter())
        if not examples:
            problems = "; ".join(need.problem for need in needs if need.role == "test" and need.problem)
            raise DataError(
                f"{data_root}: no test file of {task.name} in '{code}'{f': {problems}' if problems else ''}",
                fix="give the folder with the official test files, or leave --data-root out",
            )
        if not (unlike := _unlike(task, file, examples, count, data_root)):
            return examples
        problem = problem or unlike
    raise DataError(f"{file}: {problem}", fix="give labels and texts of the same version")


def _unlike(task: BenchmarkTask, file: Path, examples: Sequence[Example], count: int, data_root: Path) -> str:
    """How labels and test examples differ; empty where they fit."""
    if len(examples) != count:
        return f"{count} items; the test file below {data_root} has {len(examples)}"
    if task.reader == "tags":
        lines = [line.strip() for line in read_text(file).split("\n")]
        sizes = [len(list(sentence)) for filled, sentence in groupby(lines, key=bool) if filled]
        for number, (size, example) in enumerate(zip(sizes, examples, strict=True)):
            if isinstance(example, TaggingExample) and size != len(example.words):
                return f"sentence {number} has {size} tags; the test file has {len(example.words)} words"
    return ""
