"""The interval that belongs to an adjusted p-value: of t tests it leaves 0 out where the adjusted test rejects."""

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

    A one-sided test has an interval with one end; the other is that of the values that the number can take. What is
    asked of parts (`at_least`) has none: the estimate is their mean, which is not what is tested.

    Returns:
        None where there is no adjusted p-value.
    """
    p, adjusted, value = item.p, item.p_adjusted, item.value
    hypothesis = item.claim.hypothesis
    if p is None or adjusted is None or value is None or item.withheld or hypothesis.contrast == "at_least":
        return None
    sides = 2.0 if hypothesis.alternative == "two-sided" else 1.0
    alpha = 1.0 - level
    if adjusted <= 0.0:
        return (item.low, item.high) if item.low is not None and item.high is not None else None
    read = max([p, SMALLEST, *(reading.p(item.family_df) for reading in item.readings)])
    tail = min(alpha * read / adjusted, alpha) / sides
    if item.readings:
        ends = [_interval(reading, item.family_df, tail) for reading in item.readings]
        both = within(min(end.low for end in ends), max(end.high for end in ends), item.reach)
    elif item.low is None or item.high is None or tail <= 0.0:
        return None
    else:
        # From replicates: the unadjusted ends are moved out as far as those of a normal distribution would be.
        wider = float(norm.isf(tail) / norm.isf(alpha / 2.0))
        both = within(value - wider * (value - item.low), value + wider * (item.high - value), item.reach)
    low, high = both
    if hypothesis.alternative == "greater":
        return low, item.reach.high
    return (item.reach.low, high) if hypothesis.alternative == "less" else (low, high)


def _interval(reading: Reading, df: float, tail: float) -> Bounds:
    """Interval of a t test that leaves so much on each side, right for a ``tail`` that is lost beside 1 too."""
    quantile = -t_quantile(tail, min(reading.df, df))
    return symmetric_bounds(reading.value, quantile * reading.standard_error)
