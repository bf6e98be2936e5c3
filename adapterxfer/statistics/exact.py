"""Tests of a paired comparison without a bootstrap: exact sign flips, McNemar, randomisation, Agresti-Min.

These test "the two systems are exchangeable item by item". For interactions (differences in differences, slopes) that
is a stronger statement than "the contrast is 0", so they are offered for paired comparisons only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.intervals import Bounds, t_quantile
from adapterxfer.statistics.metric import Floats, SumScore
from adapterxfer.statistics.table import ScoreCell, ScoreTable


@dataclass(frozen=True, slots=True)
class ExactTest:
    """Result of an exact two-sided test.

    Attributes:
        p: exact p-value, conservative because the statistic is discrete.
        mid_p: counts only half of the observed value's probability in each tail; closer to the nominal level.
        discordant: items (or clusters) that differ.
    """

    p: float
    mid_p: float
    discordant: int


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Cluster sums of two systems on the same clusters, runs added up; both of shape ``(clusters, k)``."""

    first: Floats
    second: Floats
    metric: SumScore


def paired_counts(table: ScoreTable, first: ScoreCell, second: ScoreCell) -> PairedCounts:
    """Cluster sums of two cells of the same target and language, for the tests of this module.

    Runs of the same seed are compared on the same items; the sums of all runs are flipped together, so the tests
    generalise over items only.

    Raises:
        StatisticsError: cells of different targets or languages, an unknown cell, or different numbers of runs.
    """
    if (first.target, first.language) != (second.target, second.language):
        raise StatisticsError(f"{first} and {second}: not the same items", fix="compare two systems on one language")
    for cell in (first, second):
        if cell not in table.cells:
            raise StatisticsError(f"no scores of {cell}", fix="leave it out, or add this system's runs")
    if len(table.cells[first]) != len(table.cells[second]):
        raise StatisticsError(
            f"{first} has {len(table.cells[first])} runs, {second} has {len(table.cells[second])}",
            fix="compare systems with the same seeds",
        )
    return PairedCounts(_cell_sums(table, first), _cell_sums(table, second), table.metrics[first.target])


class Discordance(NamedTuple):
    """Items that only one of two systems gets right, and all items."""

    only_first: int
    only_second: int
    items: int


def discordance(table: ScoreTable, contrast: Contrast) -> Discordance | None:
    """The paired 2 x 2 table behind a contrast, if it is a plain difference of two accuracies of single runs.

    None for anything else: another metric, several runs or languages, items in clusters, another scale.
    """
    positive = [cell for cell, weight in contrast.terms.items() if weight == 1.0]
    negative = [cell for cell, weight in contrast.terms.items() if weight == -1.0]
    if contrast.seeds or len(contrast.terms) != 2 or not positive or not negative or contrast.scale != "points":
        return None
    first, second = positive[0], negative[0]
    same = (first.target, first.language) == (second.target, second.language)
    if not same or len(table.cells[first]) != 1 or len(table.cells[second]) != 1:
        return None
    pair = paired_counts(table, first, second)
    used = pair.first[:, -1] > 0
    left, right = pair.first[used], pair.second[used]
    single = left.shape[1] == 2 and (left[:, 1] == 1).all() and (right[:, 1] == 1).all()
    if not single or not np.isin(left[:, 0], (0, 1)).all() or not np.isin(right[:, 0], (0, 1)).all():
        return None
    if not np.allclose(pair.metric.score(np.array([[1.0, 1.0], [1.0, 2.0], [0.0, 1.0]])), [100.0, 50.0, 0.0]):
        return None
    gap = left[:, 0] - right[:, 0]
    return Discordance(int((gap > 0).sum()), int((gap < 0).sum()), len(gap))


def _cell_sums(table: ScoreTable, cell: ScoreCell) -> Floats:
    rows = table.cells[cell]
    domain = next(d for d in table.domains if d.first <= rows[0] < d.last)
    block = next(b for b in domain.blocks if b.first <= rows[0] < b.last)
    return np.asarray(domain.of_block(block)[[row - block.first for row in rows]].sum(axis=0, dtype=np.float64).T)


def _fair_binomial(count: int) -> Floats:
    """Probabilities of 0..count heads, from the exact centre outwards so that the tails keep relative precision."""
    centre = count // 2
    steps = np.arange(centre + 1, count + 1, dtype=np.float64)
    start = math.comb(count, centre) / 2**count
    upper = start * np.concatenate([[1.0], np.cumprod((count - steps + 1.0) / steps)])
    return np.concatenate([upper[::-1][: count - centre], upper[(count - centre) - centre :]]) if count else upper


def mcnemar(only_first: int, only_second: int) -> ExactTest:
    """Exact McNemar test from the two discordant counts; the sign-flip test of a difference in accuracy.

    Raises:
        StatisticsError: a negative count.
    """
    if min(only_first, only_second) < 0:
        raise StatisticsError(
            "McNemar: a negative count", fix="give how often only the first, only the second is right"
        )
    law = _fair_binomial(only_first + only_second)
    smaller = min(only_first, only_second)
    total = 2.0 * math.fsum(law[: smaller + 1].tolist())
    return ExactTest(min(1.0, total), min(1.0, total - float(law[smaller])), only_first + only_second)


def agresti_min_interval(only_first: int, only_second: int, items: int, *, level: float = 0.95) -> Bounds:
    """Interval in points for the difference of two paired accuracies, good with few discordant items.

    Half an item is added to each cell of the paired 2 x 2 table before the ordinary (Wald) interval.

    Raises:
        StatisticsError: counts that are negative or exceed the items.

    Source: Agresti and Min 2005.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > items:
        raise StatisticsError(
            f"{only_first} and {only_second} discordant of {items} items", fix="give counts of the same items"
        )
    above, below, size = only_first + 0.5, only_second + 0.5, items + 2.0
    centre = (above - below) / size
    error = math.sqrt(above + below - (above - below) ** 2 / size) / size
    distance = t_quantile(1.0 - (1.0 - level) / 2.0, math.inf) * error
    return Bounds(100.0 * max(-1.0, centre - distance), 100.0 * min(1.0, centre + distance))
