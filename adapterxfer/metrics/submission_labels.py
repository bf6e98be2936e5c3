"""Files of a submission with one label, choice or index per line, and which lines share a premise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import PREMISE_LINES, BenchmarkTask
from adapterxfer.metrics.submission_files import REMOVED, check_values, read_lines

LABELLED_FROM = 20
"""Examples from which on equal labels everywhere mean that the labels were removed, as in XTREME's download folder."""

SHIFT_FROM = 20
"""Lines from which on matches one line off are looked at: in a shorter file they can be chance."""


def label_lines(task: BenchmarkTask, gold: Path, predicted: Path) -> tuple[list[str], list[str]]:
    """Gold and predicted labels, line by line.

    Raises:
        DataError: a line holds something else, lengths differ, labels were removed, or indices cannot mean this pool.
    """
    sides = []
    for path in (gold, predicted):
        lines = read_lines(path)
        if task.reader == "choices":
            lines = [_choice(path, number, line) for number, line in enumerate(lines)]
        if task.values:
            check_values(path, _first_lines(lines), task.values, "label")
        else:
            _check_numbers(path, lines)
        sides.append(lines)
    if len(sides[0]) != len(sides[1]):
        raise DataError(f"{predicted}: {len(sides[1])} lines; {gold} has {len(sides[0])}", fix="one line per example")
    if len(sides[0]) >= LABELLED_FROM and len(set(sides[0])) == 1:
        raise DataError(f"{gold}: all {len(sides[0])} labels are {sides[0][0]!r}", fix=REMOVED)
    if not task.values:
        _check_pool(gold, predicted, *(np.array(lines, dtype=np.int64) for lines in sides))
    return sides[0], sides[1]


def premise_clusters(gold: Sequence[str]) -> tuple[str, ...] | None:
    """Premise of each line of XNLI; None where the lines are not whole premises in the official order.

    Every premise of XNLI has one hypothesis of each label, in consecutive lines: a sample of lines has not.
    """
    starts = range(0, len(gold), PREMISE_LINES)
    if any(len(set(gold[start : start + PREMISE_LINES])) != PREMISE_LINES for start in starts):
        return None
    return tuple(str(row // PREMISE_LINES) for row in range(len(gold)))


def _first_lines(lines: Sequence[str]) -> dict[str, int]:
    if len(set(lines)) > 1000:  # never a label set: stop at the first surprise instead of listing all
        return {line: number for number, line in reversed(list(enumerate(lines)))}
    return {value: lines.index(value) for value in set(lines)}


def _choice(path: Path, number: int, line: str) -> str:
    try:
        label = json.loads(line)["label"]
    except (ValueError, KeyError, TypeError):
        label = None
    if not isinstance(label, int) or isinstance(label, bool):
        raise DataError(f"{path}:{number + 1}: no whole number 'label'", fix='a line is an object such as {"label": 0}')
    return str(label)


def _check_numbers(path: Path, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        if not line.isascii() or not line.isdigit() or len(line) > 9:
            raise DataError(
                f"{path}:{number + 1}: {line[:60]!r} is no line number", fix="write the index of the sentence"
            )
        if line != str(int(line)):
            # Labels are compared as text by the official script, so '007' is wrong wherever '7' is right.
            raise DataError(
                f"{path}:{number + 1}: {line!r} has leading zeros and equals no label", fix=f"write {int(line)}"
            )


def _check_pool(gold: Path, predicted: Path, right: NDArray[np.int64], proposed: NDArray[np.int64]) -> None:
    """Refuse indices that count from 1 where the labels count from 0, or that no sentence of the pool has.

    Labels that are a permutation of as many numbers as there are lines show the whole pool; labels of a sample do not.
    """
    size = len(right)
    start = int(right.min() == 1 and right.max() == size)  # such labels count from 1 themselves
    whole = np.array_equal(np.sort(right), np.arange(start, start + size))
    outside = np.flatnonzero((proposed < start) | (proposed >= start + size)) if whole else np.array([], dtype=np.int64)
    hits = int((proposed == right).sum())
    for shift in (-1, 1):
        moved = proposed + shift
        moved_hits = int((moved == right).sum())
        fits = len(outside) > 0 and bool(((moved >= start) & (moved < start + size)).all())
        # Twice as many matches and five more: chance gives about one match in a file, whatever its length.
        if not fits and (size < SHIFT_FROM or moved_hits <= 2 * hits + 5):
            continue
        line = int(outside[0]) if len(outside) else int(np.flatnonzero(moved == right)[0])
        first = ("from 1, the labels from 0", "from 0, the labels from 1")[shift > 0]
        raise DataError(
            f"{predicted}:{line + 1}: index {proposed[line]} is one too {'many' if shift < 0 else 'few'}: the indices "
            f"count {first} ({gold}); moved by one, {moved_hits} of {size} lines are right, as they stand {hits}",
            fix="subtract 1 from every line" if shift < 0 else "add 1 to every line",
        )
    if len(outside):
        line = int(outside[0])
        raise DataError(
            f"{predicted}:{line + 1}: index {proposed[line]} is beyond the pool: {gold} has the {size} sentences "
            f"{start} to {start + size - 1} ({len(outside)} such lines)",
            fix="write the place of the sentence in the file of its language, counted as the labels count",
        )
