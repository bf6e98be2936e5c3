"""Gathers the evidence of every test: an estimate in the declared scope, its margin tests, ladder and scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.report.claims import Claim
from adapterxfer.report.declared import ScaleRow
from adapterxfer.report.evidence import POWER, Evidence, Hurdles, margin_readings
from adapterxfer.report.lenders import LendersOfGains
from adapterxfer.report.study import Study
from adapterxfer.statistics import (
    FEWEST_CLUSTERS,
    Estimate,
    Lenders,
    Reading,
    Replicates,
    Rung,
    ScoreTable,
    equivalence,
    estimates,
    moderate,
    partial_conjunction,
    rungs,
    shared_error,
    t_interval,
)
from adapterxfer.statistics.reach import within
from adapterxfer.statistics.rungs import ENOUGH_SIZES, THREE_SIZES

Alternative = Literal["two-sided", "greater", "less"]
Scope = Literal["items", "items+runs"]
Rows = dict[Alternative, dict[Scope, tuple[Estimate, ...]]]
"""Side -> scope -> estimates of all contrasts."""

THREE_SIZES_REMARK = THREE_SIZES[0].upper() + THREE_SIZES[1:] + "."


def moderated(
    study: Study, replicates: Replicates, claims: Sequence[Claim]
) -> tuple[Replicates, Mapping[int, Lenders]]:
    """Replicates whose run variances are moderated where that is valid, and by which lenders, by column.

    Gains in families of several tests and gains over several backbones are; differences of scores have no lenders. What
    is tested alone on one backbone keeps its own variance: if its runs are much noisier than those of its lenders, its
    one test would err in up to 25 % of the cases, while a family hardly notices one noisy system.
    """
    lending, sizes = LendersOfGains(study), Counter(claim.hypothesis.family for claim in claims)
    pools: dict[int, Lenders] = {}
    for claim, column in zip(claims, _columns(claims), strict=True):
        assert claim.contrast is not None
        if claim.hypothesis.scope == "items" or claim.hypothesis.contrast == "at_least":
            continue
        parts = replicates.components
        if sizes[claim.hypothesis.family] == 1 and len(parts.groups[column]) == 1:
            continue
        # The other scales too: a question is held against itself on them.
        first = column + _width(claim) - len(claim.on_scales)
        for number, contrast in ((column, claim.contrast), *enumerate(claim.on_scales, start=first)):
            pool = lending.of(contrast)
            if pool.enough and parts.fewest_runs[number] > 1:
                pools[number] = pool
    changed = moderate(study.table, replicates.contrasts, replicates.components, pools)
    return replace(replicates, components=changed), pools


def _columns(claims: Sequence[Claim]) -> list[int]:
    """Index of the first contrast of every claim in the list of all contrasts."""
    widths = [_width(claim) for claim in claims]
    return [sum(widths[:number]) for number in range(len(claims))]


def _width(claim: Claim) -> int:
    """Number of contrasts of a claim: the question, its languages, sizes, parts and other scales, in this order."""
    return 1 + len(claim.languages) + len(claim.sizes) + len(claim.parts) + len(claim.on_scales)


def gather(
    table: ScoreTable,
    replicates: Replicates,
    claims: Sequence[Claim],
    level: float,
    *,
    pools: Mapping[int, Lenders] = MappingProxyType({}),
) -> list[Evidence]:
    """Evidence of every claim, in their order.

    Args:
        replicates: of the contrasts of all claims: the question, its languages, sizes, parts and other scales.
        pools: what `moderated` says of the same claims.
    """
    sides: tuple[Alternative, ...] = ("two-sided", "greater", "less")
    scopes: tuple[Scope, ...] = ("items", "items+runs")
    used = {"two-sided", *map(_side, claims)}
    rows: Rows = {
        side: {scope: estimates(table, replicates, scope=scope, level=level, alternative=side) for scope in scopes}
        for side in sides
        if side in used
    }
    return [
        _Gatherer(replicates, claim, column, rows=rows, level=level, pool=pools.get(column)).evidence()
        for claim, column in zip(claims, _columns(claims), strict=True)
    ]


class _Numbers(NamedTuple):
    value: float
    error: float
    df: float
    low: float
    high: float
    p: float | None


class _Margin(NamedTuple):
    """Interval of the two one-sided tests, and p-values of "at most -margin" and of "at least +margin"."""

    low: float | None
    high: float | None
    above: float | None
    below: float | None


def _side(claim: Claim) -> Alternative:
    return "greater" if claim.hypothesis.contrast == "at_least" else claim.hypothesis.alternative


class _Gatherer:
    """Evidence of one claim from estimates of all contrasts, by side and scope."""

    def __init__(
        self, replicates: Replicates, claim: Claim, column: int, *, rows: Rows, level: float, pool: Lenders | None
    ) -> None:
        self.replicates = replicates
        self.claim = claim
        self.column = column
        self.level = level
        self.rows = rows
        self.pool = pool
        self.base: Scope = "items" if claim.hypothesis.scope == "items" else "items+runs"

    def evidence(self) -> Evidence:
        """Numbers in the declared scope, with everything that stands beside them."""
        claim, column = self.claim, self.column
        items, both = (self.rows["two-sided"][scope][column] for scope in ("items", "items+runs"))
        languages = self._values(column + 1, len(claim.languages))
        sizes = self._values(column + 1 + len(claim.languages), len(claim.sizes))
        by_language = range(column + 1, column + 1 + len(claim.languages))
        ladder = rungs(
            items,
            both,
            by_language=languages,
            by_size=sizes,
            parameters=claim.parameters,
            shared=shared_error(self.replicates.components, column, by_language),
        )
        main = items if claim.hypothesis.scope == "items" else both
        rung = {"languages": ladder[2], "backbones": ladder[3]}.get(claim.hypothesis.scope)
        readings = self._readings(main, ladder, rung)
        numbers = self._numbers(main, rung, readings)
        tests = readings or (Reading(main.value, main.standard_error, main.df),)
        one_sided = claim.hypothesis.alternative != "two-sided"
        hurdles = Hurdles(readings=tests, passed=len(tests), one_sided=one_sided, pair=main.pair)
        remark = THREE_SIZES_REMARK if rung is ladder[3] and len(sizes) < ENOUGH_SIZES and not rung.missing else ""
        if claim.hypothesis.contrast == "at_least":
            numbers, remark, hurdles = self._conjunction(numbers)
            readings = ()
        margin = self._margin(main, readings)
        return Evidence(
            claim=claim,
            column=column,
            items=items,
            both=both,
            by_language=tuple(languages.tolist()),
            scope=claim.hypothesis.scope,
            value=numbers.value,
            standard_error=numbers.error,
            df=numbers.df,
            low=numbers.low,
            high=numbers.high,
            p=numbers.p,
            readings=readings,
            moderated=self.pool is not None,
            resampled=self._resampled(main, rung),
            withheld=self._withheld(items, both, rung),
            margin_low=margin.low,
            margin_high=margin.high,
            p_equivalent=None if margin.above is None or margin.below is None else max(margin.above, margin.below),
            p_not_inferior=margin.above,
            scales=self._scales(),
            rungs=ladder,
            remark=remark,
            hurdles=hurdles,
            resolution=self._resolution(main) * hurdles.tests,
        )

    def _resolution(self, main: Estimate) -> float:
        """One of the replicates and the estimate itself: no p-value from them is smaller."""
        return 0.0 if main.interval in ("t", "agresti-min") else 1.0 / (len(self.replicates.replicates) + 1)

    def _values(self, first: int, count: int) -> npt.NDArray[np.float64]:
        return self.replicates.values[first : first + count]

    def _readings(self, main: Estimate, ladder: Sequence[Rung], rung: Rung | None) -> tuple[Reading, ...]:
        """The t tests of the scope: of the rungs from items and runs up to it."""
        side: Alternative = self.claim.hypothesis.alternative
        used = [Reading(main.value, main.standard_error, main.df, side)] if main.interval == "t" else []
        if rung is not None and not rung.missing:
            for other in ladder[2 : list(ladder).index(rung) + 1]:
                if not other.missing:
                    assert other.value is not None
                    assert other.standard_error is not None
                    assert other.df is not None
                    used.append(Reading(other.value, other.standard_error, other.df, side))
        return tuple(used)

    def _numbers(self, main: Estimate, rung: Rung | None, readings: Sequence[Reading]) -> _Numbers:
        p = self.rows[_side(self.claim)][self.base][self.column].p
        if rung is None or rung.missing:
            return _Numbers(main.value, main.standard_error, main.df, main.low, main.high, p)
        assert rung.value is not None
        assert rung.standard_error is not None
        assert rung.df is not None
        assert rung.low is not None
        assert rung.high is not None
        largest = None if p is None else max([p, *(reading.p() for reading in readings)])
        return _Numbers(rung.value, rung.standard_error, rung.df, rung.low, rung.high, largest)

    def _resampled(self, main: Estimate, rung: Rung | None) -> str:
        if rung is not None:
            return rung.assumes
        if self.pool is None:
            return main.resampled
        return f"{main.resampled}; run variance moderated by that of {self.pool.count} gains of the same kind"

    def _withheld(self, items: Estimate, both: Estimate, rung: Rung | None) -> str:
        if items.clusters < FEWEST_CLUSTERS:
            return f"{items.clusters} clusters of test items: a verdict needs {FEWEST_CLUSTERS} or more."
        if rung is not None:
            return f"Scope '{rung.scope}' cannot be had: {rung.missing}." if rung.missing else ""
        if self.base == "items+runs" and both.scope == "items" and both.runs == 1:
            return (
                "One training run per system says nothing about retraining, so no verdict at the declared scope; the "
                "numbers are about new test items for these models."
            )
        return ""

    def _margin(self, main: Estimate, readings: Sequence[Reading]) -> _Margin:
        """Tests against the margin in every rung of the scope: the largest p-values and the hull of the intervals."""
        margin = self.claim.hypothesis.margin
        if margin is None or main.p is None:
            return _Margin(None, None, None, None)
        tested = []
        if main.interval != "t":
            test = equivalence(main, self.replicates, self.column, margin=margin)
            tested.append((test.low, test.high, test.p_not_inferior, test.p_not_superior))
        for reading in readings:
            bounds = t_interval(reading.value, reading.standard_error, reading.df, level=2.0 * self.level - 1.0)
            above, below = margin_readings(reading, margin)
            tested.append((*bounds, above.p(), below.p()))
        lows, highs, above_all, below_all = zip(*tested, strict=True)
        return _Margin(*within(min(lows), max(highs), main.reach), max(above_all), max(below_all))

    def _conjunction(self, numbers: _Numbers) -> tuple[_Numbers, str, Hurdles]:
        """p-value of "positive in fewer than k", what was shown, and what the effects of the parts have to pass."""
        hypothesis, first = self.claim.hypothesis, self.column + 1 + len(self.claim.languages) + len(self.claim.sizes)
        assert hypothesis.k is not None
        parts = self.rows["greater"][self.base][first : first + len(self.claim.parts)]
        tested = partial_conjunction([1.0 if row.p is None else row.p for row in parts], alpha=1.0 - self.level)
        positive = sum(row.value > 0 for row in parts)
        remark = (
            f"Positive in {positive} of {len(parts)} ({hypothesis.across}); shown in at least {tested.at_least} of "
            "them. The estimate is their mean."
        )
        readings = tuple(Reading(row.value, row.standard_error, row.df, "greater") for row in parts)
        hurdles = Hurdles(
            readings=readings,
            passed=hypothesis.k,
            one_sided=True,
            tests=len(parts) - hypothesis.k + 1,
            power=POWER ** (1.0 / hypothesis.k),
        )
        return numbers._replace(p=tested.p[hypothesis.k - 1]), remark, hurdles

    def _scales(self) -> tuple[ScaleRow, ...]:
        """The question in points, logits and relative error (signs turned so that up is better)."""
        count = len(self.claim.on_scales)
        if not count:
            return ()
        last = self.column + _width(self.claim) - count
        chosen = [self.column, *range(last, last + count)]
        scales = []
        for number in chosen:
            row = self.rows["two-sided"][self.base][number]
            if row.scale == "log-error":
                scales.append(ScaleRow("relative error", -row.value, -row.high, -row.low, row.p))
            else:
                scales.append(ScaleRow(row.scale, row.value, row.low, row.high, row.p))
        return tuple(scales)
