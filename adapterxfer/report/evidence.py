"""The numbers behind a verdict: the estimate in the declared scope, its margin tests, its ladder and its scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.report.claims import Claim
from adapterxfer.report.declared import ScaleRow
from adapterxfer.statistics import (
    Estimate,
    Replicates,
    Rung,
    ScoreTable,
    equivalence,
    estimates,
    minimum_detectable_effect,
    partial_conjunction,
    rungs,
    shared_error,
    t_interval,
    t_p,
)

Alternative = Literal["two-sided", "greater", "less"]
Scope = Literal["items", "items+runs"]
Rows = dict[Alternative, dict[Scope, tuple[Estimate, ...]]]
"""Side -> scope -> estimates of all contrasts."""


WHOLE_SCALE = 100.0
"""Points from the worst to the best score."""


class _Numbers(NamedTuple):
    value: float
    error: float
    df: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One test before its verdict.

    Attributes:
        column: number of its contrast in the replicates.
        items, both: the estimate over test items, and over items and runs.
        by_language: values of the question in each language.
        scope: what the numbers generalise over.
        from_t: whether they come from a t distribution, so that margins are tested by it too.
        withheld: why no difference may be claimed; empty where it may.
        p_equivalent, p_not_inferior: raw here, adjusted by `families.adjust_tests`.
        items_p_adjusted: p-value over test items alone, adjusted in the same family.
    """

    claim: Claim
    column: int
    items: Estimate
    both: Estimate
    by_language: tuple[float, ...]
    scope: str
    value: float | None
    standard_error: float | None
    df: float | None
    low: float | None
    high: float | None
    p: float | None
    from_t: bool
    resampled: str
    withheld: str
    margin_low: float | None
    margin_high: float | None
    p_equivalent: float | None
    p_not_inferior: float | None
    scales: tuple[ScaleRow, ...]
    rungs: tuple[Rung, ...]
    remark: str = ""
    largest_part: float | None = None
    p_adjusted: float | None = None
    items_p_adjusted: float | None = None
    adjustment: str = ""

    @property
    def name(self) -> str:
        """Id and subject."""
        return f"{self.claim.asked.id} {self.claim.subject}".strip()

    @property
    def main(self) -> Estimate:
        """The estimate that the scope uses; that over items for the two upper rungs."""
        return self.items if self.scope == "items" else self.both

    def detectable(self, alpha: float) -> float | None:
        """Smallest true effect found with probability 0.8 at level alpha; None where there is no bound."""
        if self.largest_part is not None:
            return bounded(self.largest_part)
        if self.standard_error is None or self.df is None:
            return None
        return bounded(minimum_detectable_effect(self.standard_error, self.df, alpha=alpha))


def bounded(effect: float) -> float | None:
    """A minimum detectable effect; None where no difference of two scores could be that large."""
    return effect if effect <= WHOLE_SCALE else None


def gather(table: ScoreTable, replicates: Replicates, claims: Sequence[Claim], level: float) -> list[Evidence]:
    """Evidence of every claim, in their order.

    Args:
        replicates: of the contrasts of all claims: the question, its languages, sizes, parts and other scales.
    """
    sides: tuple[Alternative, ...] = ("two-sided", "greater", "less")
    scopes: tuple[Scope, ...] = ("items", "items+runs")
    used = {"two-sided", *map(_side, claims)}
    rows: Rows = {
        side: {scope: estimates(table, replicates, scope=scope, level=level, alternative=side) for scope in scopes}
        for side in sides
        if side in used
    }
    found, column = [], 0
    for claim in claims:
        one = _Gatherer(replicates, claim, column, level, rows)
        found.append(one.evidence())
        column += 1 + len(claim.languages) + len(claim.sizes) + len(claim.parts) + len(claim.on_scales)
    return found


def _side(claim: Claim) -> Alternative:
    return "greater" if claim.asked.contrast == "at_least" else claim.asked.alternative


class _Gatherer:
    """Evidence of one claim from estimates of all contrasts, by side and scope."""

    def __init__(
        self,
        replicates: Replicates,
        claim: Claim,
        column: int,
        level: float,
        rows: Rows,
    ) -> None:
        self.replicates = replicates
        self.claim = claim
        self.column = column
        self.level = level
        self.rows = rows
        self.base: Scope = "items" if claim.asked.scope == "items" else "items+runs"

    def evidence(self) -> Evidence:
        """Numbers in the declared scope, with everything that stands beside them."""
        claim, column = self.claim, self.column
        items, both = (self.rows["two-sided"][scope][column] for scope in ("items", "items+runs"))
        languages = self._values(column + 1, len(claim.languages))
        sizes = self._values(column + 1 + len(claim.languages), len(claim.sizes))
        own = range(column + 1, column + 1 + len(claim.languages))
        shared = shared_error(self.replicates.components, column, own)
        climbed = rungs(items, both, languages, sizes, claim.parameters, shared=shared)
        main = items if claim.asked.scope == "items" else both
        rung = {"languages": climbed[2], "backbones": climbed[3]}.get(claim.asked.scope)
        withheld = self._withheld(both, rung)
        sided = self.rows[_side(claim)][self.base][column].p if claim.asked.contrast != "at_least" else None
        numbers = _Numbers(main.value, main.standard_error, main.df, main.low, main.high, sided)
        if rung is not None and not rung.missing:
            assert rung.value is not None
            assert rung.standard_error is not None
            assert rung.df is not None
            assert rung.low is not None
            assert rung.high is not None
            p = t_p(rung.value, rung.standard_error, rung.df, alternative=claim.asked.alternative)
            numbers = _Numbers(rung.value, rung.standard_error, rung.df, rung.low, rung.high, p)
        from_t = main.interval == "t" or (rung is not None and not rung.missing)
        remark, largest = "", None
        if claim.asked.contrast == "at_least":
            numbers, remark, largest = self._conjunction(numbers)
        low, high, p_equivalent, p_not_inferior = self._margin(main, numbers, from_t=from_t and rung is not None)
        return Evidence(
            claim=claim,
            column=column,
            items=items,
            both=both,
            by_language=tuple(languages.tolist()),
            scope=claim.asked.scope,
            value=numbers.value,
            standard_error=numbers.error,
            df=numbers.df,
            low=numbers.low,
            high=numbers.high,
            p=numbers.p,
            from_t=from_t,
            resampled=main.resampled if rung is None else rung.assumes,
            withheld=withheld,
            margin_low=low,
            margin_high=high,
            p_equivalent=p_equivalent,
            p_not_inferior=p_not_inferior,
            scales=self._scales(),
            rungs=climbed,
            remark=remark,
            largest_part=largest,
        )

    def _values(self, first: int, count: int) -> npt.NDArray[np.float64]:
        return self.replicates.values[first : first + count]

    def _withheld(self, both: Estimate, rung: Rung | None) -> str:
        if rung is not None:
            return f"Scope '{rung.scope}' cannot be had: {rung.missing}." if rung.missing else ""
        if self.base == "items+runs" and both.scope == "items" and both.runs == 1:
            return (
                "One training run per system says nothing about retraining, so no verdict at the declared scope; the "
                "numbers are about new test items for these models."
            )
        return ""

    def _margin(
        self, main: Estimate, numbers: _Numbers, *, from_t: bool
    ) -> tuple[float | None, float | None, float | None, float | None]:
        margin = self.claim.asked.margin
        if margin is None:
            return None, None, None, None
        if not from_t:
            test = equivalence(main, self.replicates, self.column, margin=margin)
            return test.low, test.high, test.p, test.p_not_inferior
        value, error, df = numbers.value, numbers.error, numbers.df
        above = t_p(value, error, df, null=-margin, alternative="greater")
        below = t_p(value, error, df, null=margin, alternative="less")
        bounds = t_interval(value, error, df, level=2.0 * self.level - 1.0)
        return bounds.low, bounds.high, max(above, below), above

    def _conjunction(self, numbers: _Numbers) -> tuple[_Numbers, str, float]:
        """p-value of "positive in fewer than k", what was shown, and the effect each part would have needed."""
        asked, first = self.claim.asked, self.column + 1 + len(self.claim.languages) + len(self.claim.sizes)
        assert asked.k is not None
        parts = self.rows["greater"][self.base][first : first + len(self.claim.parts)]
        tested = partial_conjunction([1.0 if row.p is None else row.p for row in parts], alpha=1.0 - self.level)
        positive = sum(row.value > 0 for row in parts)
        remark = (
            f"Positive in {positive} of {len(parts)} ({asked.across}); shown in at least {tested.at_least} of them. "
            "The estimate is their mean."
        )
        spread = len(parts) - asked.k + 1
        needed = sorted(
            minimum_detectable_effect(row.standard_error, row.df, alpha=2.0 * (1.0 - self.level), tests=spread)
            for row in parts
        )
        return numbers._replace(p=tested.p[asked.k - 1]), remark, needed[asked.k - 1]

    def _scales(self) -> tuple[ScaleRow, ...]:
        """The question in points, logits and relative error (signs turned so that up is better)."""
        count = len(self.claim.on_scales)
        if not count:
            return ()
        last = self.column + 1 + len(self.claim.languages) + len(self.claim.sizes) + len(self.claim.parts)
        chosen = [self.column, *range(last, last + count)]
        found = []
        for number in chosen:
            row = self.rows["two-sided"][self.base][number]
            if row.scale == "log-error":
                found.append(ScaleRow("relative error", -row.value, -row.high, -row.low, row.p))
            else:
                found.append(ScaleRow(row.scale, row.value, row.low, row.high, row.p))
        return tuple(found)
