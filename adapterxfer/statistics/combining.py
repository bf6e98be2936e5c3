"""Contrasts that are one ratio of combined columns.

Where a contrast in points has weights that are whole multiples of one number and all its rows share their denominator
(two accuracies on the same items), it is itself a ratio, of one integer combination of numerators:
``sum c_j N_j / D = (sum m c_j N_j) / (m D)``. The combination can then be taken before the product (few contrasts of
many rows) or after it (many contrasts of few rows). Its integer sum is the same, so that choice changes no bit;
whether a contrast is of this kind depends on the contrast and its own rows alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.statistics.metric import Floats, Ratio
from adapterxfer.statistics.products import narrowest

_LARGEST_MULTIPLIER = 10**6
_LARGEST_BEFORE = 127
"""Largest count of a combination that is taken before the product; larger ones would slow all columns down."""

Places = npt.NDArray[np.intp]


Place = Callable[[npt.NDArray[Any]], int]
"""Number of the column that holds a vector."""


def _slice(places: Places) -> Places | slice:
    """Consecutive places as a slice: a view instead of a copy."""
    first, last = int(places[0]), int(places[-1])
    consecutive = last - first == len(places) - 1 and bool((np.diff(places) == 1).all())
    return slice(first, last + 1) if consecutive else places


@dataclass(frozen=True, slots=True)
class Combined:
    """Contrasts that are one ratio each; ``sums @ matrix`` or the columns `places` are their integer numerators.

    Attributes:
        contrasts: numbers of the contrasts, shape ``(g,)``.
        denominator: column of the shared denominator.
        factors: points divided by the multiplier m, shape ``(g,)``.
        places: columns that hold the numerators; empty where `matrix` makes them.
        matrix: CSR ``(g, columns)`` of integers, or None.
    """

    contrasts: Places
    denominator: int
    factors: Floats
    places: Places | slice
    matrix: Any

    @property
    def where(self) -> Places | slice:
        """The contrasts as a slice, which is faster to add to, if they are consecutive."""
        return _slice(self.contrasts)


@dataclass(frozen=True, slots=True)
class Pending:
    """`Combined` after the product, before the number of columns is known; entries are (place, column, weight)."""

    contrasts: Places
    denominator: int
    factors: Floats
    entries: list[tuple[int, int, float]]

    def finished(self, width: int) -> Combined:
        """With its matrix."""
        rows, columns, weights = zip(*self.entries, strict=True)
        matrix = sparse.csr_array((weights, (rows, columns)), shape=(len(self.contrasts), width))
        return Combined(self.contrasts, self.denominator, self.factors, np.zeros(0, dtype=np.intp), matrix)


Candidate = tuple[int, int, dict[int, int]]
"""Number of a contrast, its multiplier, and its integer weights by row of the block."""


class Ratios:
    """Numerators and denominators of the rows of a block, over the clusters."""

    def __init__(self, counts: npt.NDArray[Any], ratio: Ratio) -> None:
        self._counts, self.ratio = counts, ratio
        self._cache: dict[tuple[tuple[float, ...], int], npt.NDArray[Any]] = {}
        self._distinct: list[npt.NDArray[Any]] = []
        self._names = self._equal_to_first()

    def numerator(self, row: int) -> npt.NDArray[Any]:
        """Of one row, shape ``(clusters,)``."""
        return self._vector(self.ratio.numerator, row)

    def denominator(self, row: int) -> npt.NDArray[Any]:
        """Of one row, shape ``(clusters,)``."""
        return self._vector(self.ratio.denominator, row)

    def denominator_name(self, row: int) -> int:
        """Equal for rows with equal denominators."""
        if row not in self._names:
            vector = self.denominator(row)
            equal = (name for name, other in enumerate(self._distinct) if np.array_equal(other, vector))
            self._names[row] = next(equal, len(self._distinct))
            if self._names[row] == len(self._distinct):
                self._distinct.append(vector)
        return self._names[row]

    def _equal_to_first(self) -> dict[int, int]:
        """Names of the rows that have the denominator of the first one, where it is a column: one look at all."""
        column = _only(self.ratio.denominator)
        if column is None:
            return {}
        self._distinct.append(self.denominator(0))
        same = (self._counts[:, column] == self._counts[0, column]).all(axis=1)
        return dict.fromkeys(np.flatnonzero(same).tolist(), 0)

    def _vector(self, weights: tuple[float, ...], row: int) -> npt.NDArray[Any]:
        if (weights, row) not in self._cache:
            self._cache[weights, row] = narrowest(self._combination(weights, row))
        return self._cache[weights, row]

    def _combination(self, weights: tuple[float, ...], row: int) -> npt.NDArray[Any]:
        column = _only(weights)
        if column is not None:
            return np.asarray(self._counts[row, column])
        wide = np.int64 if np.issubdtype(self._counts.dtype, np.integer) else np.float64
        total = np.zeros(self._counts.shape[2], dtype=wide)
        for weight, counts in zip(weights, self._counts[row], strict=True):
            if weight:
                total += wide(weight) * counts
        return total


@lru_cache(maxsize=256)
def _only(weights: tuple[float, ...]) -> int | None:
    """Number of the only column that counts, if it counts once."""
    used = [(weight, column) for column, weight in enumerate(weights) if weight]
    return used[0][1] if len(used) == 1 and used[0][0] == 1.0 else None


def combinable(matrix: Any, vectors: Ratios) -> list[Candidate]:
    """The contrasts that are one ratio on this block."""
    result: list[Candidate] = []
    for number in np.flatnonzero(np.diff(matrix.indptr)).tolist():
        part = slice(matrix.indptr[number], matrix.indptr[number + 1])
        rows, weights = matrix.indices[part].tolist(), matrix.data[part].tolist()
        multiplier = _multiplier(tuple(sorted(set(weights))))
        if multiplier is None or len({vectors.denominator_name(row) for row in rows}) > 1:
            continue
        whole = {row: round(weight * multiplier) for row, weight in zip(rows, weights, strict=True)}
        result.append((number, multiplier, whole))
    return result


@lru_cache(maxsize=65536)
def _multiplier(weights: tuple[float, ...]) -> int | None:
    """The smallest m for which all ``m * weight`` are integers (up to rounding errors); None where it is too large."""
    result = 1
    for weight in weights:
        fraction = Fraction(weight).limit_denominator(_LARGEST_MULTIPLIER)
        if abs(float(fraction) - weight) > 1e-13 * abs(weight):
            return None
        result = math.lcm(result, fraction.denominator)
        if result > _LARGEST_MULTIPLIER:
            return None
    return result


def join(combined: list[Candidate], vectors: Ratios, others: Places, place: Place) -> list[Combined | Pending]:
    """Combinations grouped by denominator, taken before or after the product, whichever needs fewer columns."""
    groups: dict[int, list[Candidate]] = {}
    for candidate in combined:
        groups.setdefault(vectors.denominator_name(next(iter(candidate[2]))), []).append(candidate)
    extra = {row for _, _, weights in combined for row in weights} - set(others.tolist())
    before = _combinations(combined, vectors) if len(combined) < len(extra) else None
    result: list[Combined | Pending] = []
    for members in groups.values():
        below = place(vectors.denominator(next(iter(members[0][2]))))
        factors = np.array([vectors.ratio.points / multiplier for _, multiplier, _ in members])
        numbers = np.array([number for number, _, _ in members], dtype=np.intp)
        if before is not None:
            places = np.array([place(before[number]) for number in numbers.tolist()], dtype=np.intp)
            result.append(Combined(numbers, below, factors, _slice(places), None))
            continue
        entries = [
            (member, place(vectors.numerator(row)), float(weight))
            for member, (_, _, weights) in enumerate(members)
            for row, weight in weights.items()
        ]
        result.append(Pending(numbers, below, factors, entries))
    return result


def _combinations(combined: list[Candidate], vectors: Ratios) -> dict[int, npt.NDArray[Any]] | None:
    """Integer combinations of numerators by number of the contrast; None where some count is too large."""
    rows = sorted({row for _, _, weights in combined for row in weights})
    numerators = np.stack([vectors.numerator(row) for row in rows])
    where = {row: place for place, row in enumerate(rows)}
    entries = [
        (place, where[row], weight) for place, (_, _, weights) in enumerate(combined) for row, weight in weights.items()
    ]
    places, columns, weights = (np.array(part) for part in zip(*entries, strict=True))
    bound = float(np.bincount(places, weights=np.abs(weights)).max()) * float(numerators.max(initial=0))
    if bound >= 2.0**31:
        return None
    wide = np.float64 if not np.issubdtype(numerators.dtype, np.integer) else np.int16 if bound < 2.0**15 else np.int32
    matrix = sparse.csr_array((weights.astype(wide), (places, columns)), shape=(len(combined), len(rows)))
    result = narrowest(matrix @ numerators.astype(wide))
    if np.abs(result).max(initial=0) > _LARGEST_BEFORE:
        return None
    return {number: vector for (number, _, _), vector in zip(combined, result, strict=True)}
