"""Where the uncertainty of a number comes from, and whether more seeds or more test items would reduce it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapterxfer.report.declared import Spending
from adapterxfer.report.evidence import Evidence
from adapterxfer.statistics import Replicates

SEED_CHOICES = (3, 5, 10)
"""Numbers of training runs that are planned for."""

SAME = 0.05
"""Two ways of spending are called alike where their results differ by less than this share."""


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """Variances of one number: test items alone, runs alone, and the two together.

    Attributes:
        seeds: training runs of every system.
    """

    items: float
    runs: float
    interaction: float
    seeds: int
    trained_once: bool

    def error(self, *, items: float = 1.0, seeds: float = 1.0) -> float:
        """Standard error with so many times the test items and the training runs."""
        total = self.items / items + self.runs / seeds + self.interaction / (items * seeds)
        return math.sqrt(max(total, 0.0))


def parts_of(item: Evidence, replicates: Replicates) -> VarianceParts:
    """The variances that the standard error of a test is made of.

    Twice the items leaves the variance over runs as it is, and the other way round; what both share falls with either.
    Where the trained models are held fixed, their spread is no part of it.
    """
    components, column = replicates.components, item.column
    over_items, runs, shared = (
        float(values[column]) for values in (components.items, components.runs, components.residual)
    )
    trained_once = math.isnan(runs)
    if trained_once:
        runs = shared = 0.0
    if not item.over_runs:
        over_items, runs = item.items.standard_error**2, shared
    # Neither items nor runs alone expect more than the whole, as in `statistics.variance`.
    shared = min(shared, over_items, runs)
    return VarianceParts(
        items=over_items - shared,
        runs=runs - shared if item.over_runs else 0.0,
        interaction=shared,
        seeds=item.both.runs,
        trained_once=trained_once,
    )


def spending(
    item: Evidence, parts: VarianceParts, *, name: str, by_language: Sequence[float], sign: float = 1.0
) -> Spending:
    """Variance components of one number and what would be gained by more of each.

    Args:
        item: the test that decides about the number.
        sign: -1 where the test asks with the sides exchanged.
    """
    seeds = parts.seeds
    planned = [
        (n, effect) for n in SEED_CHOICES if seeds > 1 and (effect := _smallest_effect(item, parts, seeds=n / seeds))
    ]
    return Spending(
        subject=name,
        estimate=sign * item.main.value,
        standard_error=item.main.standard_error,
        seeds=seeds,
        items=math.sqrt(parts.items),
        runs=None if parts.trained_once else math.sqrt(parts.runs),
        interaction=None if parts.trained_once else math.sqrt(parts.interaction),
        languages=statistics.stdev(by_language) if len(by_language) > 1 else None,
        detectable=item.detectable(),
        with_twice_items=_smallest_effect(item, parts, items=2.0),
        with_seeds=tuple(planned),
        advice=_advice(item, parts),
    )


def _smallest_effect(item: Evidence, parts: VarianceParts, *, items: float = 1.0, seeds: float = 1.0) -> float | None:
    """Smallest effect that the test would find with so much more data.

    What a scope asks of languages or backbones beyond items and runs stays as it is.
    """
    hurdles, most_df = item.hurdles, item.family_df
    if hurdles is None:
        return None
    readings = list(hurdles.readings)
    more_df = (parts.seeds * seeds - 1) / (parts.seeds - 1) if item.over_runs and parts.seeds > 1 else 1.0
    if item.main.interval == "t" or not item.readings:
        error = parts.error(items=items, seeds=seeds)
        readings[0] = readings[0]._replace(standard_error=error, df=readings[0].df * more_df)
        most_df *= more_df
    return replace(item, hurdles=replace(hurdles, readings=tuple(readings)), family_df=most_df).detectable()


def _advice(item: Evidence, parts: VarianceParts) -> str:
    if parts.seeds == 0:
        return "Nothing was trained: only more test items help."
    if parts.trained_once and item.over_runs:
        return "Train with more seeds first: one run says nothing about retraining."
    now, with_items = item.detectable(), _smallest_effect(item, parts, items=2.0)
    if parts.trained_once:
        shown = "" if with_items is None else f": twice as many would find {with_items:.2f}"
        return f"More test items{shown}."
    with_runs = _smallest_effect(item, parts, seeds=2.0)
    if with_items is None or with_runs is None:
        return "Train with more seeds first: too few degrees of freedom to plan with."
    if (
        item.scope in ("languages", "backbones")
        and now is not None
        and min(with_runs, with_items) >= (1.0 - SAME) * now
    ):
        return f"Neither seeds nor test items: the scatter over {item.scope} decides."
    shown = f"twice the seeds would find {with_runs:.2f}, twice the test items {with_items:.2f}"
    if abs(with_runs - with_items) <= SAME * max(with_runs, with_items):
        return f"Seeds and test items help alike: {shown}."
    return f"{'More seeds' if with_runs < with_items else 'More test items'}: {shown}."
