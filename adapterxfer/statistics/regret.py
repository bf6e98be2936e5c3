"""Regret of a ranking: what is lost by trying only its first k candidates instead of all of them.

Source: Poth, Pfeiffer, Rueckle and Gurevych 2021, *What to Pre-Train on? Efficient Intermediate Task Selection*:
regret@k is the best value of all candidates minus the best of the k that a predictor ranks first. They divide it by the
best value; here it is in the unit of the values (points).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeanRegret:
    """Mean regret over cells with a bootstrap interval.

    Attributes:
        estimate: mean over the cells.
        low, high: percentile interval; None where neither axis has two values to resample.
        cells: how many the mean is over.
        resampled: what was resampled, in words.
    """

    estimate: float
    low: float | None
    high: float | None
    cells: int
    resampled: str


def expected_best(predicted: Sequence[float], true: Sequence[float], k: int) -> float:
    """Best true value among the k candidates predicted best; ties are broken at random, and the mean over that given.

    A predictor without any opinion (all values equal) so gets the exact expectation of choosing at random.

    Args:
        predicted: of each candidate, higher is better.
        true: of each candidate.
        k: how many are tried; all of them if there are fewer.

    Raises:
        StatisticsError: no candidate, lengths that differ, values that are not finite, or k below 1.
    """
    scores, values = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if scores.shape != values.shape or scores.ndim != 1 or not len(scores) or k < 1:
        raise StatisticsError(
            f"regret@{k}: {scores.shape} predictions for {values.shape} values",
            fix="one finite prediction and one value per candidate, and k of at least 1",
        )
    if not (np.isfinite(scores).all() and np.isfinite(values).all()):
        raise StatisticsError("regret: a value is not finite", fix="leave out candidates without a value")
    k = min(k, len(scores))
    border = np.sort(scores)[::-1][k - 1]
    sure, tied = values[scores > border], np.sort(values[scores == border])
    left = k - len(sure)
    floor = sure.max() if len(sure) else -np.inf
    # The largest of `left` drawn without replacement is the j-th smallest in C(j, left - 1) of C(m, left) draws.
    ways = [comb(j, left - 1) for j in range(len(tied))]
    return float(np.dot(ways, np.maximum(tied, floor)) / comb(len(tied), left))


def regret(predicted: Sequence[float], true: Sequence[float], k: int) -> float:
    """Best of all true values minus `expected_best`; never negative."""
    return max(0.0, float(np.max(np.asarray(true, dtype=np.float64))) - expected_best(predicted, true, k))


def mean_over_cells(
    table: Array, *, names: tuple[str, str], resamples: int, seed: int, confidence: float
) -> MeanRegret:
    """Mean of a table of two crossed axes, each resampled as a whole.

    Rows and columns are drawn independently with replacement, and a cell counts as often as its row times its column:
    the bootstrap of two crossed random factors (Owen 2007, *The pigeonhole bootstrap*). An axis of one value is kept.

    Args:
        table: shape ``(rows, columns)``; NaN where there is no cell.
        names: plural of what rows and columns are, for `MeanRegret.resampled`.
        resamples, seed, confidence: of the percentile interval.

    Raises:
        StatisticsError: the table has no cell.
    """
    there = np.isfinite(table)
    if not there.any():
        raise StatisticsError("mean regret: no cell", fix="finish at least one cell of the study")
    table, there = table[there.any(axis=1)][:, there.any(axis=0)], there[there.any(axis=1)][:, there.any(axis=0)]
    rows, columns = table.shape
    filled = np.where(there, table, 0.0)
    said = [f"{size} {name}" for size, name in zip((rows, columns), names, strict=True) if size > 1]
    fixed = [f"the only one of {name} kept" for size, name in zip((rows, columns), names, strict=True) if size == 1]
    resampled = ", ".join([" x ".join(said) or "nothing", *fixed])
    estimate = float(filled.sum() / there.sum())
    if not said:
        return MeanRegret(estimate, None, None, int(there.sum()), resampled)
    rng = np.random.default_rng(seed)
    left = rng.multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(np.float64)
    right = rng.multinomial(columns, np.full(columns, 1 / columns), size=resamples).astype(np.float64)
    weight = np.einsum("br,rc,bc->b", left, there.astype(np.float64), right)
    total = np.einsum("br,rc,bc->b", left, filled, right)
    means = total[weight > 0] / weight[weight > 0]  # a draw of cells that are all missing says nothing
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return MeanRegret(estimate, float(low), float(high), int(there.sum()), resampled)
