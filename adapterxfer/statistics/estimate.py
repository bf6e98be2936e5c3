"""From replicates to statements: value, standard error, interval, p-value, and what all of it generalises over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import clipped
from adapterxfer.statistics.engine import Replicates
from adapterxfer.statistics.exact import Discordance, agresti_min_interval, discordance, mcnemar
from adapterxfer.statistics.intervals import Bounds, interval, symmetric_bounds, t_interval, t_p
from adapterxfer.statistics.reach import reach_of, within
from adapterxfer.statistics.spread import Spread, spread
from adapterxfer.statistics.table import Label, ScoreTable
from adapterxfer.statistics.thresholds import FEW_CLUSTERS, FEWEST_CLUSTERS, SPARSE_DISCORDANCE
from adapterxfer.statistics.vocabulary import FLAG_TEXT, Alternative, IntervalKind, Scale, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One answered question.

    Attributes:
        name, labels: from the contrast.
        value: in points, or on the contrast's scale.
        standard_error: in the same unit.
        low, high: ends of the interval, never beyond `reach`.
        p: p-value of "the true value is 0"; None with fewer than 10 clusters of test items.
        level: coverage of the interval.
        interval: how the interval and the p-value were made; ``t`` for t intervals and t tests.
        alternative: which p-value.
        scale: unit of the values.
        scope: what the statement generalises over.
        requested: the scope that was asked for; differs from `scope` where it cannot be had (a single run).
        resampled: the scope in words, with numbers.
        df: degrees of freedom of a t interval, else infinity.
        reach: the smallest and the largest value that the contrast can take.
        clusters: clusters of test items behind it.
        discordant: clusters in which the systems differ.
        runs: smallest number of training runs among the systems; 0 when nothing was trained.
        flags: keys of `FLAG_TEXT`.
        p_adjusted: p-value adjusted for the family of tests it belongs to.
        adjustment: how: `holm`, `romano-wolf`, ...
        alpha_in_family: level at which it is decided in that family, with the other tests as they are; 0 where it is
            withheld.
        pair: counts of an exact McNemar test, where ``p`` is its.
        df_in_family: most degrees of freedom with which that family reads it.
    """

    name: str
    labels: Mapping[str, Label]
    value: float
    standard_error: float
    low: float
    high: float
    p: float | None
    level: float
    interval: IntervalKind
    alternative: Alternative
    scale: Scale
    scope: Scope
    requested: Scope
    resampled: str
    df: float
    reach: Bounds
    clusters: int
    discordant: int
    runs: int
    flags: tuple[str, ...] = ()
    p_adjusted: float | None = None
    adjustment: str = field(default="")
    alpha_in_family: float | None = None
    df_in_family: float = math.inf
    pair: Discordance | None = None

    @property
    def flag_texts(self) -> tuple[str, ...]:
        """The sentences of the flags."""
        return tuple(FLAG_TEXT[flag] for flag in self.flags)


def estimates(
    table: ScoreTable,
    replicates: Replicates,
    *,
    scope: Scope = "items",
    kind: IntervalKind = "symmetric",
    level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> tuple[Estimate, ...]:
    """Statements about all contrasts, in their order.

    Scope `items` uses the replicates: standard error, the interval of the kind asked for, and the null-shift p-value;
    with fewer than 40 clusters, a t interval and t test on the analytic standard error instead, with fewer than 10 no
    p-value; for two accuracies that differ on 1 to 24 items, the Agresti-Min interval and McNemar's exact test instead
    of the default. Scope `items+runs` uses the two-way variance with its degrees of freedom; where a system has a
    single run it falls back to `items` and flags it.

    Raises:
        StatisticsError: level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise StatisticsError(f"interval level {level}; expected between 0 and 1", fix="0.95 is usual")
    ceiling = {cell for cell, rows in table.cells.items() if clipped(table.scores[list(rows)]).any()}
    spreads = spread(replicates.values, replicates.replicates, level=level, alternative=alternative)
    request = _Request(scope, kind, level, alternative)
    result = []
    for number, contrast in enumerate(replicates.contrasts):
        at_end = contrast.scale != "points" and any(cell in ceiling for cell in contrast.terms)
        reach = reach_of(contrast, table.metrics)
        row = _one(replicates, number, spreads, request, at_end=at_end, reach=reach)
        result.append(_for_sparse_pairs(table, contrast, row))
    return tuple(result)


class _Request(NamedTuple):
    """Arguments of `estimates`, by their names."""

    scope: Scope
    kind: IntervalKind
    level: float
    alternative: Alternative


def _one(
    replicates: Replicates, number: int, spreads: Spread, request: _Request, *, at_end: bool, reach: Bounds
) -> Estimate:
    requested, kind, level, alternative = request
    parts, contrast = replicates.components, replicates.contrasts[number]
    value, over_items = float(replicates.values[number]), float(spreads.errors[number])
    clusters, runs = int(parts.clusters[number]), int(parts.fewest_runs[number])
    flags = [*contrast.flags, *(["ceiling"] if at_end else []), *_item_flags(replicates, number, spreads)]
    scope: Scope = requested
    if requested == "items+runs" and runs == 1:
        scope = "items"
        flags.append("one-seed")
    df, used = np.inf, kind
    if scope == "items+runs" and runs > 0:
        error, df, used = float(np.sqrt(parts.total[number])), float(parts.total_df[number]), "t"
        flags += ["two-seeds"] if runs == 2 else []
        flags += ["unequal-seeds"] if parts.unequal_seeds[number] else []
    elif clusters < FEW_CLUSTERS or kind == "t":
        error, df, used = float(np.sqrt(parts.items[number])), float(parts.items_df[number]), "t"
    else:
        error = over_items
    p: float | None
    if used == "t":
        bounds: Bounds = t_interval(value, error, df, level=level)
        p = t_p(value, error, df, alternative=alternative)
    else:
        bounds = symmetric_bounds(value, float(spreads.distances[number]))
        if used != "symmetric":
            bounds = interval(replicates.replicates[:, number], value, kind=used, level=level)
        p = float(spreads.p[number])
    if clusters < FEWEST_CLUSTERS:
        p = None
        flags.append("too-few-clusters")
        bounds = reach if error == 0.0 else bounds
    bounds = within(*bounds, reach)
    return Estimate(
        name=contrast.name,
        labels=contrast.labels,
        value=value,
        standard_error=error,
        low=bounds.low,
        high=bounds.high,
        p=p,
        level=level,
        interval=used,
        alternative=alternative,
        scale=contrast.scale,
        scope=scope,
        requested=requested,
        resampled=_words(replicates, number, scope, used),
        df=df,
        reach=reach,
        clusters=clusters,
        discordant=int(parts.discordant[number]),
        runs=runs,
        flags=tuple(dict.fromkeys(flags)),
    )


def _for_sparse_pairs(table: ScoreTable, contrast: Contrast, row: Estimate) -> Estimate:
    """Two accuracies that differ on few items: Agresti-Min interval and exact McNemar test."""
    if row.p is None or row.scope != "items" or row.interval != "symmetric" or row.alternative != "two-sided":
        return row
    if not 0 < row.discordant < SPARSE_DISCORDANCE:
        return row
    pair = discordance(table, contrast)
    if pair is None:
        return row
    low, high = agresti_min_interval(*pair, level=row.level)
    p = mcnemar(pair.only_first, pair.only_second).p
    how = f"{pair.items} test items (exact McNemar test, Agresti-Min interval)"
    resampled = f"{how}; {row.resampled.split('; ')[1]}"
    return replace(row, low=low, high=high, p=p, interval="agresti-min", resampled=resampled, pair=pair)


def _item_flags(replicates: Replicates, number: int, spreads: Spread) -> list[str]:
    """Warnings about the test items behind a contrast."""
    parts = replicates.components
    flags = []
    clusters = int(parts.clusters[number])
    if clusters < FEW_CLUSTERS:
        flags.append("few-clusters")
    if parts.items[number] == 0.0:
        flags.append("no-variation")
    if int(parts.discordant[number]) < min(SPARSE_DISCORDANCE, clusters):
        flags.append("sparse-discordance")
    if spreads.undefined[number]:
        flags.append("undefined-replicates")
    analytic, bootstrap = math.sqrt(parts.items[number]), float(spreads.errors[number])
    slack = 0.05 + 4.0 / math.sqrt(2.0 * (replicates.resamples - 1))
    if clusters >= 100 and analytic > 0.0 and not abs(bootstrap / analytic - 1.0) <= slack:
        flags.append("standard-errors-differ")
    return flags


def _words(replicates: Replicates, number: int, scope: Scope, kind: IntervalKind) -> str:
    parts = replicates.components
    items = f"{int(parts.clusters[number])} clusters of test items"
    fewest, most = int(parts.fewest_runs[number]), int(parts.most_runs[number])
    runs = f"{fewest} training runs" if fewest == most else f"{fewest} to {most} training runs"
    if scope == "items+runs" and fewest > 0:
        return f"{items} and {runs} per system (two-way variance, t interval)"
    held = "no trained model" if most == 0 else f"the {runs} per system held fixed"
    held = held.replace("1 training runs", "single training run")
    how = "analytic variance, t interval" if kind == "t" else f"{replicates.resamples} {replicates.weights} resamples"
    return f"{items} ({how}); {held}"
