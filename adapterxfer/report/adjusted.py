"""The interval that belongs to an adjusted p-value: it leaves 0 out exactly where the adjusted test rejects."""

from __future__ import annotations

from scipy.stats import norm

from adapterxfer.report.evidence import Evidence
from adapterxfer.statistics import Reading
from adapterxfer.statistics.intervals import Bounds, symmetric_bounds, t_quantile
from adapterxfer.statistics.reach import within

SMALLEST = 1e-300
"""In place of a p-value that is too small for a number: no interval may become infinite by that."""


def adjusted_interval(item: Evidence, level: float) -> tuple[float, float] | None:
    """Ends of the interval of one test at the level that the test has in its family.

    A test whose p-value p became q by adjustment is in effect judged at ``alpha * p / q``; its interval has that level,
    and with several rungs it is the hull of theirs, as the p-value is the largest of theirs. Where the family reads the
    test with fewer degrees of freedom than its own, p and the interval are of that reading too. It is about this one
    test and is no simultaneous confidence region of the family. It ends where the values of the number end.

    Returns:
        None where there is no adjusted p-value.
    """
    p, adjusted, value = item.p, item.p_adjusted, item.value
    if p is None or adjusted is None or value is None or item.withheld:
        return None
    alpha = 1.0 - level
    if adjusted <= 0.0:
        return (item.low, item.high) if item.low is not None and item.high is not None else None
    read = max([p, SMALLEST, *(reading.p(item.family_df) for reading in item.readings)])
    alpha_in_family = min(alpha * read / adjusted, alpha)
    if item.readings:
        ends = [_interval(reading, item.family_df, alpha_in_family) for reading in item.readings]
        return within(min(end.low for end in ends), max(end.high for end in ends), item.reach)
    if item.low is None or item.high is None or alpha_in_family <= 0.0:
        return None
    # From replicates: the unadjusted ends are moved out as far as those of a normal distribution would be.
    wider = float(norm.isf(alpha_in_family / 2.0) / norm.isf(alpha / 2.0))
    return within(value - wider * (value - item.low), value + wider * (item.high - value), item.reach)


def _interval(reading: Reading, df: float, alpha: float) -> Bounds:
    """Two-sided t interval, right for an ``alpha`` that is lost beside 1 too."""
    quantile = -t_quantile(alpha / 2.0, min(reading.df, df))
    return symmetric_bounds(reading.value, quantile * reading.standard_error)
