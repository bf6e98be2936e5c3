"""Where the uncertainty of a number comes from, and whether more seeds or more test items would reduce it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.report.declared import Spending
from adapterxfer.statistics import Estimate, Replicates, minimum_detectable_effect

SEED_CHOICES = (3, 5, 10)
"""Numbers of training runs that are planned for."""

SAME = 0.05
"""Two ways of spending are called alike where their results differ by less than this share."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Variances of one number: test items alone, runs alone, and the two together."""

    items: float
    runs: float
    interaction: float
    seeds: int
    df: float

    def error(self, *, items: float = 1.0, seeds: float = 1.0) -> float:
        """Standard error with so many times the test items and the training runs."""
        total = self.items / items + self.runs / seeds + self.interaction / (items * seeds)
        return math.sqrt(max(total, 0.0))

    def detectable(self, alpha: float, *, items: float = 1.0, seeds: float = 1.0) -> float | None:
        """Minimum detectable effect with so much more data."""
        df = self.df
        if math.isfinite(df) and self.seeds > 1:
            df = df * (self.seeds * seeds - 1) / (self.seeds - 1)
        value = minimum_detectable_effect(self.error(items=items, seeds=seeds), df, alpha=alpha)
        return value if math.isfinite(value) else None


def spending(
    replicates: Replicates,
    column: int,
    both: Estimate,
    by_language: Sequence[float],
    *,
    name: str,
    alpha: float,
    most_df: float = math.inf,
) -> Spending:
    """Variance components of one contrast and what would be gained by more of each.

    Twice the items leaves the variance over runs as it is, and the other way round; what both share falls with either.

    Args:
        alpha: level at which the test is decided in its family.
        most_df: degrees of freedom with which its family reads it, at most.
    """
    parts, df = replicates.components, min(both.df, most_df)
    over_items, runs, shared = (float(values[column]) for values in (parts.items, parts.runs, parts.residual))
    trained_once = math.isnan(runs)
    variances = _Parts(
        items=over_items if trained_once else max(over_items - shared, 0.0),
        runs=0.0 if trained_once else max(runs - shared, 0.0),
        interaction=0.0 if trained_once else min(shared, over_items),
        seeds=both.runs,
        df=df,
    )
    now = minimum_detectable_effect(both.standard_error, df, alpha=alpha)
    with_items = variances.detectable(alpha, items=2.0)
    planned = [
        (n, effect)
        for n in SEED_CHOICES
        if variances.seeds > 1 and (effect := variances.detectable(alpha, seeds=n / variances.seeds))
    ]
    return Spending(
        subject=name,
        estimate=both.value,
        standard_error=both.standard_error,
        seeds=both.runs,
        items=math.sqrt(variances.items),
        runs=None if trained_once else math.sqrt(variances.runs),
        interaction=None if trained_once else math.sqrt(variances.interaction),
        languages=statistics.stdev(by_language) if len(by_language) > 1 else None,
        detectable=now,
        with_twice_items=with_items,
        with_seeds=tuple(planned),
        advice=_advice(variances, alpha, with_items, trained_once=trained_once),
    )


def _advice(parts: _Parts, alpha: float, with_items: float | None, *, trained_once: bool) -> str:
    if parts.seeds == 0:
        return "Nothing was trained: only more test items help."
    if trained_once:
        return "Train with more seeds first: one run says nothing about retraining."
    with_runs = parts.detectable(alpha, seeds=2.0)
    if with_items is None or with_runs is None:
        return "Train with more seeds first: too few degrees of freedom to plan with."
    shown = f"twice the seeds would find {with_runs:.2f}, twice the test items {with_items:.2f}"
    if abs(with_runs - with_items) <= SAME * max(with_runs, with_items):
        return f"Seeds and test items help alike: {shown}."
    return f"{'More seeds' if with_runs < with_items else 'More test items'}: {shown}."
