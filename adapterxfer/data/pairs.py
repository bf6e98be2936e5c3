"""English-X sentence pairs recovered from plain-text files that contain the same parallel sets in the same order.

A text folder may carry ``SOURCES.tsv``: for every language the parts of its file in order, with their line counts
(``name: lines; name: lines``). Parts of a known parallel set lie in the same order in every language, except that a
few lines were dropped from some of them. A banded alignment by length and numbers finds these gaps; a set whose pairs
disagree about numbers is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adapterxfer.data.files import open_text
from adapterxfer.errors import DataError

PARALLEL_SETS = ("NTREX-128", "sib-200")
"""First words of the part names whose lines are translations of each other by position."""

BAND = 24
"""How far line numbers may drift apart."""

MINIMUM_AGREEMENT = 0.5
"""Share of the pairs with a number that must contain the same numbers; below it the alignment is not trusted."""

_SKIP = 1.2
"""Cost of a line without a partner. Two of them cost more than a pair unless the ratio of its lengths is off the usual
one by a factor of 11, or of 7 where its numbers differ too (``e`` to 2.4 and to 1.9)."""
_NUMBER = re.compile(r"[0-9]+")
_GROUPING = re.compile(r"(?<=\d)[.,](?=\d)|(?<=\d)[\u00a0\u202f ](?=\d{3}(?!\d))")


class Pair(NamedTuple):
    """Line indices of a sentence and its translation."""

    english: int
    other: int


@dataclass(frozen=True, slots=True)
class Aligned:
    """Pairs of one language with English.

    Attributes:
        pairs: line indices in the two files.
        agreement: share of pairs with a number on either side whose numbers are equal; 1.0 where none has one.
        sets: parallel sets used.
        left_out: parallel sets that failed the check.
    """

    pairs: tuple[Pair, ...]
    agreement: float
    sets: tuple[str, ...]
    left_out: tuple[str, ...]


def read_parts(path: Path) -> dict[str, dict[str, range]]:
    """Language -> parallel set -> its lines in the language's file, from ``SOURCES.tsv``.

    Raises:
        DataError: a part has no line count.
    """
    lines_of: dict[str, dict[str, range]] = {}
    with open_text(path) as file:
        header = file.readline().rstrip("\n").split("\t")
        last = len(header) - 1
        for line in file:
            columns = line.rstrip("\n").split("\t")
            start = 0
            for source in columns[last].split("; "):
                name, _, count = source.rpartition(": ")
                if not count.strip().isdigit():
                    raise DataError(
                        f"{path}: '{source}' of {columns[0]}; expected 'name: lines'", fix="repair the file"
                    )
                for known in PARALLEL_SETS:
                    if name.startswith(known):
                        lines_of.setdefault(columns[0], {})[known] = range(start, start + int(count))
                start += int(count)
    return lines_of


def align_language(
    english: Sequence[str], other: Sequence[str], english_parts: Mapping[str, range], other_parts: Mapping[str, range]
) -> Aligned:
    """Pair the lines of all parallel sets that two languages share.

    Args:
        english: all lines of the English file.
        other: all lines of the other file.
        english_parts: set -> lines, see `read_parts`.
        other_parts: the same for the other language.
    """
    pairs: list[Pair] = []
    used: list[str] = []
    left_out: list[str] = []
    for name in PARALLEL_SETS:
        if name not in english_parts or name not in other_parts:
            continue
        ours, theirs = english_parts[name], other_parts[name]
        steps = align([english[i] for i in ours], [other[i] for i in theirs])
        aligned = [Pair(ours[a], theirs[b]) for a, b in steps]
        if aligned and numbers_agree(english, other, aligned) >= MINIMUM_AGREEMENT:
            pairs += aligned
            used.append(name)
        else:
            left_out.append(name)
    return Aligned(tuple(pairs), numbers_agree(english, other, pairs), tuple(used), tuple(left_out))


def align(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Monotone one-to-one alignment of two lists of lines with few gaps, by dynamic programming in a band.

    The cost of a pair is the deviation of its log length ratio from the usual one, plus a penalty for different
    numbers; leaving a line out costs a constant.

    Returns:
        Index pairs, increasing on both sides.
    """
    rows, columns = len(left), len(right)
    if not rows or not columns or abs(rows - columns) > BAND:
        return []
    lengths = [np.log1p([len(line) for line in side]) for side in (left, right)]
    usual = float(lengths[1].mean() - lengths[0].mean())
    numbers = [[frozenset(_numbers(line)) for line in side] for side in (left, right)]
    infinite = float("inf")
    width = 2 * BAND + 1
    cost = np.full((rows + 1, width), infinite)
    step = np.zeros((rows + 1, width), dtype=np.int8)  # 1: pair, 2: skip left, 3: skip right
    for i in range(rows + 1):
        for k in range(width):
            j = i + k - BAND
            if j < 0 or j > columns:
                continue
            if i == j == 0:
                cost[i, k] = 0.0
                continue
            best, kind = infinite, 0
            if i and j:
                penalty = abs(float(lengths[1][j - 1] - lengths[0][i - 1]) - usual)
                penalty += 0.0 if numbers[0][i - 1] == numbers[1][j - 1] else 0.5
                best, kind = cost[i - 1, k] + penalty, 1
            if i and k + 1 < width and cost[i - 1, k + 1] + _SKIP < best:
                best, kind = cost[i - 1, k + 1] + _SKIP, 2
            if j and k and cost[i, k - 1] + _SKIP < best:
                best, kind = cost[i, k - 1] + _SKIP, 3
            cost[i, k], step[i, k] = best, kind
    pairs: list[tuple[int, int]] = []
    i, j = rows, columns
    while i or j:
        kind = step[i, j - i + BAND]
        if kind == 1:
            pairs.append((i - 1, j - 1))
        i, j = i - (kind in (1, 2)), j - (kind in (1, 3))
    return pairs[::-1]


def numbers_agree(english: Sequence[str], other: Sequence[str], pairs: Sequence[Pair]) -> float:
    """Share of pairs with the same numbers among those that contain one."""
    numbers = [(_numbers(english[pair.english]), _numbers(other[pair.other])) for pair in pairs]
    counted = [sorted(a) == sorted(b) for a, b in numbers if a or b]
    return sum(counted) / len(counted) if counted else 1.0


def _numbers(line: str) -> list[str]:
    """Runs of digits, with native digits mapped to 0-9."""
    if not line.isascii():
        line = "".join(str(int(c)) if c.isdecimal() else c for c in line)
    # Languages group thousands and write decimals differently: only the digits count.
    return _NUMBER.findall(_GROUPING.sub("", line))
