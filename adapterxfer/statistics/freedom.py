"""Degrees of freedom of a variance that is a sum of estimated variances.

Satterthwaite's plug-in works for sums of parts of one kind, such as the runs of several backbones. It fails where few
runs stand beside many test items: two runs that agree by chance make their variance small, and the degrees of freedom
jump from 1 to those of the items just then (error rates of .09 to .12 instead of .05 with two runs of one backbone).
The critical value is therefore the mean of the two quantiles, weighted by the variances.

Source: Satterthwaite 1946; Cochran and Cox 1950, section 4.14, for two variances with their own degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy import special

from adapterxfer.statistics.metric import Floats

_TAIL = 0.975
"""Where the quantile is matched: the critical value of a two-sided 5 % test, which most verdicts rest on."""


def pooled_df(parts: Iterable[tuple[float, float]]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances.

    Args:
        parts: (variance, its degrees of freedom); infinite if nothing varies, NaN if a variance is unknown.
    """
    total = squared = 0.0
    for variance, df in parts:
        total += variance
        squared += variance**2 / df if df > 0.0 else math.nan
    return total**2 / squared if squared > 0.0 else (math.inf if squared == 0.0 else math.nan)


def joint_df(total: Floats, items_df: Floats, runs: Floats, runs_df: Floats) -> Floats:
    """Degrees of freedom whose two-sided 5 % critical value is the weighted mean of those of items and of runs.

    Arrays of one shape; NaN where `runs` is.

    Args:
        total: variance over items and runs; what it has beyond ``runs`` is the items'. The run x item residual is in
            both variances and counts as the runs', whose few degrees of freedom it shares.
    """
    total, items_df, runs, runs_df = np.broadcast_arrays(total, items_df, runs, runs_df)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0.0, np.minimum(runs / total, 1.0), 0.0)
        critical = (1.0 - share) * _quantile(items_df) + share * _quantile(runs_df)
        mixed = special.stdtridf(_TAIL, critical)
    # The ends exactly: the inverse of the quantile is not exact.
    result = np.where(share == 0.0, items_df, np.where(share == 1.0, runs_df, mixed))
    return np.asarray(np.where(np.isnan(runs), np.nan, result))


def _quantile(df: Floats) -> Floats:
    finite = np.where(np.isfinite(df), df, 1.0)
    return np.asarray(np.where(np.isfinite(df), special.stdtrit(finite, _TAIL), special.ndtri(_TAIL)))
