"""A metric as a function of summed counts, with the gradient that turns counts into influence values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError

Floats = npt.NDArray[np.float64]
ScoreFunction = Callable[[Floats], Floats]
"""Vectorised: sums of shape ``(..., k)`` to points of shape ``(...)``; must not depend on the scale of the sums."""

_RELATIVE_STEP = 1e-5
"""Of central differences, relative to the largest sum: near the cube root of the rounding of doubles, where the errors
of rounding and of curvature are equally small."""


@dataclass(frozen=True, slots=True)
class SumScore:
    """A corpus score that depends on the data only through column sums of per-example counts.

    Attributes:
        name: for messages.
        score: sums ``(..., k)`` -> points ``(...)``. Multiplying all sums by a constant must not change the score;
            that is what lets resampling weights act on clusters.
        gradient: sums ``(..., k)`` -> derivatives ``(..., k)``; central differences are used where it is None.
        gold_columns: columns that depend on the gold data only, so must agree between systems on the same language.
        lowest: the lowest score in points; below 0 for a correlation.
    """

    name: str
    score: ScoreFunction
    gradient: ScoreFunction | None = None
    gold_columns: tuple[int, ...] = ()
    lowest: float = 0.0

    def derivatives(self, sums: Floats) -> Floats:
        """Derivative of the score by each sum, shape ``(..., k)``; zero where the score is undefined.

        The difference step is 1e-5 of the largest sum: relative error about 1e-10 for rational functions.
        """
        if self.gradient is not None:
            return np.nan_to_num(np.asarray(self.gradient(sums), dtype=np.float64))
        step = _RELATIVE_STEP * np.maximum(np.abs(sums).max(axis=-1, keepdims=True), 1e-300)
        result = np.empty_like(sums, dtype=np.float64)
        for column in range(sums.shape[-1]):
            moved = np.zeros(sums.shape[-1])
            moved[column] = 1.0
            above, below = self.score(sums + step * moved), self.score(sums - step * moved)
            result[..., column] = (above - below) / (2.0 * step[..., 0])
        return np.nan_to_num(result)


def ratio_metric(
    name: str,
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    points: float = 100.0,
    gold_columns: tuple[int, ...] = (),
) -> SumScore:
    """``points * (sums . numerator) / (sums . denominator)``.

    Where the denominator is 0, a share of a total is NaN: an empty test set has no accuracy (the official scripts
    divide by zero). With several columns below the line it is an F1, which is 0 if there was nothing to find and
    nothing was found, as conlleval and seqeval print.

    Accuracy is ``ratio_metric("accuracy", (1, 0), (0, 1))``; F1 from (tp, predicted, gold) is
    ``ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))``.

    Args:
        numerator: weight of each of the k sums above the line.
        denominator: the same below it.
        points: score of a perfect system.

    Raises:
        StatisticsError: the two have different lengths.
    """
    if len(numerator) != len(denominator):
        raise StatisticsError(
            f"metric {name}: {len(numerator)} numerator weights and {len(denominator)} denominator weights",
            fix="give one weight per count column in both",
        )
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    undefined = math.nan if np.count_nonzero(bottom) == 1 else 0.0

    def score(sums: Floats) -> Floats:
        below = sums @ bottom
        defined = below != 0.0
        return np.where(defined, points * (sums @ top) / np.where(defined, below, 1.0), undefined)

    def gradient(sums: Floats) -> Floats:
        above, below = sums @ top, sums @ bottom
        defined = below != 0.0
        safe = np.where(defined, below, 1.0)[..., None]
        slope = points * (top - (above[..., None] / safe) * bottom) / safe
        return np.where(defined[..., None], slope, 0.0)

    return SumScore(name, score, gradient, gold_columns)


def as_metric(value: SumScore | ScoreFunction, name: str) -> SumScore:
    """A bare function of sums becomes a `SumScore` with a numerical gradient."""
    return value if isinstance(value, SumScore) else SumScore(name, value)
