"""Random-effects pooling of the effects of several studies that answered the same test items.

Every study has an effect and the variance of what is its own: its training runs. What all studies share, the test
items, cancels in their comparison; it is added once, as the variance `common`, and never divided by their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import t_interval, t_p
from adapterxfer.statistics.metric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """The mean effect of the studies that these are a sample of.

    Attributes:
        estimate: in the unit of the effects.
        standard_error: of the estimate, with the common part.
        df: degrees of freedom of the interval (Satterthwaite over both parts).
        tau2: variance of the true effects between studies (Paule-Mandel).
        q: squared deviations weighted by the studies' own variances; NaN where one of these is 0.
        q_p: p-value of "all studies have the same true effect"; NaN like `q`.
        i2: share of the variation between studies that is not their own variance, 0 to 1; NaN like `q`.
        prediction_low, prediction_high: where the true effect of one more study is expected; NaN with two studies.
        weights: of the studies, shape ``(studies,)``; sum 1.
        between_error: standard error without the common part.
        common_error: standard error of the common part.
    """

    estimate: float
    standard_error: float
    df: float
    low: float
    high: float
    p: float
    level: float
    tau2: float
    q: float
    q_p: float
    i2: float
    prediction_low: float
    prediction_high: float
    weights: Floats
    between_error: float
    common_error: float

    @property
    def tau(self) -> float:
        """Standard deviation of the true effects between studies."""
        return math.sqrt(self.tau2)


def pool(
    effects: Sequence[float],
    variances: Sequence[float],
    *,
    common: float = 0.0,
    common_df: float = math.inf,
    level: float = 0.95,
) -> Pooled:
    """Pool effects of two or more studies with random effects.

    Weights are ``1 / (variance + tau2)``; the interval between studies is that of Hartung and Knapp, never narrower
    than with their factor at 1. The prediction interval has ``studies - 2`` degrees of freedom. Intervals are NaN
    where all effects are equal and no variance is known.

    Args:
        effects: one per study.
        variances: of what is each study's own; 0 where it is not known, which leaves it in `tau2`.
        common: variance of what all studies share.
        common_df: degrees of freedom of `common`.

    Raises:
        StatisticsError: fewer than two studies, or numbers that are negative, not finite or not as many.

    Source: Paule and Mandel 1982 for tau2; Hartung and Knapp 2001 for the interval; Röver, Knapp and Friede 2015 for
        the floor of its factor; Higgins and Thompson 2002 for I2; Higgins, Thompson and Spiegelhalter 2009 for the
        prediction interval.
    """
    values, within = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    _check(values, within, common, level)
    tau2 = paule_mandel(values, within)
    total = within + tau2
    if not total.any():
        total = np.ones_like(total)  # equal effects, nothing known of their variances: equal weights
    inverse = 1.0 / total
    weights = inverse / inverse.sum()
    estimate = float(weights @ values)
    degrees = len(values) - 1
    factor = max(1.0, float(inverse @ (values - estimate) ** 2) / degrees)
    # Equal effects of unknown variance are no reason to be certain: no interval then.
    between = factor / float(inverse.sum()) if (within + tau2).any() else math.nan
    variance = between + common
    df = _satterthwaite(between, degrees, common, common_df)
    error = math.sqrt(variance)
    df = df if math.isfinite(error) else math.nan
    bounds = t_interval(estimate, error, df, level=level)
    q, q_p, i2 = heterogeneity(values, within)
    spread = math.sqrt(tau2 + variance)
    ahead = t_interval(estimate, spread, degrees - 1, level=level) if degrees > 1 else (math.nan, math.nan)
    return Pooled(
        estimate=estimate, standard_error=error, df=df, low=bounds.low, high=bounds.high,
        p=t_p(estimate, error, df) if math.isfinite(error) else math.nan, level=level, tau2=tau2, q=q, q_p=q_p, i2=i2,
        prediction_low=ahead[0], prediction_high=ahead[1], weights=weights,
        between_error=math.sqrt(between), common_error=math.sqrt(common),
    )  # fmt: skip


def paule_mandel(effects: Floats, variances: Floats) -> float:
    """The variance between studies at which the generalised Q equals its expectation ``studies - 1``; 0 if none does.

    Args:
        effects, variances: shape ``(studies,)``.

    Source: Paule and Mandel 1982; DerSimonian and Kacker 2007.
    """
    degrees = len(effects) - 1

    def excess(tau2: float) -> float:
        weights = 1.0 / (variances + tau2)
        mean = float(weights @ effects) / float(weights.sum())
        return float(weights @ (effects - mean) ** 2) - degrees

    spread = float(((effects - effects.mean()) ** 2).sum())
    if spread <= 1e-24 * max(1.0, float(np.abs(effects).max())) ** 2:
        return 0.0
    # Q falls with tau2; at the largest squared distance of any two studies it is below its expectation.
    upper = float(np.ptp(effects)) ** 2
    lower = 0.0 if variances.all() else 1e-12 * upper
    if excess(lower) <= 0.0:
        return 0.0
    return float(optimize.brentq(excess, lower, upper, xtol=1e-14 * upper, rtol=1e-12))


def heterogeneity(effects: Floats, variances: Floats) -> tuple[float, float, float]:
    """Cochran's Q, its p-value and I2, with weights ``1 / variance``; NaN where a variance is 0.

    Source: Cochran 1954; Higgins and Thompson 2002.
    """
    if not variances.all():
        return math.nan, math.nan, math.nan
    weights = 1.0 / variances
    mean = float(weights @ effects) / float(weights.sum())
    q, degrees = float(weights @ (effects - mean) ** 2), len(effects) - 1
    i2 = max(0.0, 1.0 - degrees / q) if q > 0.0 else 0.0
    return q, float(special.chdtrc(degrees, q)), i2


def _satterthwaite(first: float, first_df: float, second: float, second_df: float) -> float:
    """Degrees of freedom of the sum of two independent variance estimates (Satterthwaite 1946)."""
    spread = first**2 / first_df + (0.0 if math.isinf(second_df) else second**2 / second_df)
    return (first + second) ** 2 / spread if spread > 0.0 else math.inf


def _check(values: Floats, within: Floats, common: float, level: float) -> None:
    if values.ndim != 1 or len(values) < 2 or within.shape != values.shape:
        raise StatisticsError(
            f"pooling {values.size} effects with {within.size} variances", fix="give two or more studies with one each"
        )
    if not (
        np.isfinite(values).all() and np.isfinite(within).all() and (within >= 0.0).all() and 0.0 <= common < math.inf
    ):
        raise StatisticsError("pooling: effects or variances that are negative or not finite", fix="check the studies")
    if not 0.0 < level < 1.0:
        raise StatisticsError(f"interval level {level}; expected between 0 and 1", fix="0.95 is usual")
