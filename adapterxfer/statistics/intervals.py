"""Intervals and p-values from replicates of one contrast, or from a standard error and its degrees of freedom.

Source: Efron and Tibshirani 1993, chapters 12 to 14; Davison and Hinkley 1997, section 4.4 for the "+1";
Berg-Kirkpatrick et al. 2012 for shifting the bootstrap distribution to the null.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.thresholds import TIE
from adapterxfer.statistics.vocabulary import Alternative, IntervalKind


class Bounds(NamedTuple):
    """Ends of an interval."""

    low: float
    high: float


def interval(values: Floats, estimate: float, *, kind: IntervalKind, level: float = 0.95) -> Bounds:
    """A bootstrap interval.

    `symmetric`: estimate -/+ the quantile of the absolute deviations, the inversion of `shift_p`. `percentile`:
    quantiles of the replicates. `basic`: those mirrored at the estimate.

    Args:
        values: replicates, shape ``(resamples,)``; NaN are left out.
        level: coverage, between 0 and 1.

    Raises:
        StatisticsError: an unknown kind, a level outside (0, 1), or no defined replicate.
    """
    if not 0.0 < level < 1.0:
        raise StatisticsError(f"interval level {level}; expected between 0 and 1", fix="0.95 is usual")
    defined = values[~np.isnan(values)]
    if not len(defined):
        raise StatisticsError("interval: the metric was undefined in every replicate", fix="use more test items")
    tail = (1.0 - level) / 2.0
    if kind == "symmetric":
        return symmetric_bounds(estimate, symmetric_distance(defined, estimate, level=level))
    if kind == "percentile":
        low, high = np.quantile(defined, [tail, 1.0 - tail])
        return Bounds(float(low), float(high))
    if kind == "basic":
        low, high = np.quantile(defined, [tail, 1.0 - tail])
        return Bounds(float(2.0 * estimate - high), float(2.0 * estimate - low))
    raise StatisticsError(f"interval '{kind}' is not made from replicates", fix="use symmetric, percentile or basic")


def symmetric_distance(values: Floats, estimate: float, *, level: float) -> float:
    """Half width of the symmetric interval: the order statistic of |replicate - estimate| that is dual to `shift_p`.

    ``shift_p <= 1 - level`` if and only if ``|estimate|`` exceeds it (up to ties). With too few replicates for the
    level it is the largest deviation.
    """
    deviations = np.abs(values - estimate)
    rank = order_statistic(len(deviations), level)
    deviations.partition(rank)
    return float(deviations[rank])


def order_statistic(resamples: int, level: float) -> int:
    """Place, from 0, of the deviation that bounds a share `level` of the replicates and the estimate itself."""
    allowed = int(np.floor((1.0 - level) * (resamples + 1) + 1e-9)) - 1
    return resamples - 1 - max(allowed, 0)


def shift_slack(estimate: float, null: float = 0.0) -> float:
    """How much closer than the null a replicate may be to the estimate and still count as equally far."""
    return TIE * max(1.0, abs(estimate), abs(null))


def shift_p(values: Floats, estimate: float, *, null: float = 0.0, alternative: Alternative = "two-sided") -> float:
    """p-value of "the true value is `null`": how often a replicate is as far from the estimate as the null is.

    ``(1 + #{|replicate - estimate| >= |estimate - null|}) / (resamples + 1)``; ties count, and undefined replicates
    count as extreme. Never below ``1 / (resamples + 1)``.

    Args:
        alternative: one-sided only when declared before looking at the data.
    """
    distance = estimate - null
    defined = ~np.isnan(values)
    deviations = np.where(defined, values - estimate, np.inf)
    slack = shift_slack(estimate, null)
    if alternative == "two-sided":
        extreme = np.abs(deviations) >= abs(distance) - slack
    elif alternative == "greater":
        extreme = deviations >= distance - slack
    else:
        extreme = np.where(defined, deviations, -np.inf) <= distance + slack
    return (1.0 + float(np.count_nonzero(extreme))) / (len(values) + 1.0)


def t_interval(estimate: float, standard_error: float, df: float, *, level: float = 0.95) -> Bounds:
    """``estimate -/+ t * standard_error``; infinite ``df`` gives the normal quantile."""
    return symmetric_bounds(estimate, t_quantile(1.0 - (1.0 - level) / 2.0, df) * standard_error)


def symmetric_bounds(estimate: float, distance: float) -> Bounds:
    """``estimate -/+ distance``."""
    return Bounds(estimate - distance, estimate + distance)


def t_p(
    estimate: float, standard_error: float, df: float, *, null: float = 0.0, alternative: Alternative = "two-sided"
) -> float:
    """p-value of a t test of ``estimate = null``; 1 for equality and 0 otherwise when the standard error is 0.

    Equality is up to rounding: a mean over three languages of two systems that are equal may be 4e-15.
    """
    distance = estimate - null
    if standard_error == 0.0:
        slack = shift_slack(estimate, null)
        holds = {"two-sided": abs(distance) <= slack, "greater": distance <= slack, "less": distance >= -slack}
        return 1.0 if holds[alternative] else 0.0
    statistic = distance / standard_error
    if alternative == "two-sided":
        return min(1.0, 2.0 * t_tail(abs(statistic), df))
    return t_tail(statistic if alternative == "greater" else -statistic, df)


def t_quantile(probability: float, df: float) -> float:
    """Quantile of Student's t; the normal one for infinite ``df``."""
    return float(special.ndtri(probability) if np.isinf(df) else special.stdtrit(df, probability))


def t_tail(statistic: float, df: float) -> float:
    """P(T > statistic)."""
    return float(special.ndtr(-statistic) if np.isinf(df) else special.stdtr(df, -statistic))
