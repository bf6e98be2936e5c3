"""The numbers behind a verdict: what `gathering` finds for one test, and what its verdict is read from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from adapterxfer.report.claims import Claim
from adapterxfer.report.declared import ScaleRow
from adapterxfer.statistics import Estimate, Reading, Rung, minimum_detectable_effect, smallest_mcnemar_difference
from adapterxfer.statistics.exact import Discordance
from adapterxfer.statistics.intervals import Bounds

POWER = 0.8
"""With which the smallest effect beside a verdict would be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurdles:
    """The t tests that an effect must pass to be found.

    Attributes:
        readings: of a test its rungs; of `at_least` its parts, one-sided.
        passed: how many of them it must pass.
        tests: among how many of them a part is adjusted.
        pair: counts of an exact McNemar test in the place of readings.
        power: with which each is passed; that of independent parts, of which all have to be passed, is higher than that
            of the whole. Rungs are read from the same data: who passes the highest passes them all.
    """

    readings: tuple[Reading, ...]
    passed: int
    one_sided: bool = False
    tests: int = 1
    power: float = POWER
    pair: Discordance | None = None

    def smallest_effect(self, *, alpha: float, df: float, reach: Bounds) -> float:
        """Effect that passes; infinite where no value of the number could be as large.

        Args:
            alpha: level of the test.
            df: most degrees of freedom with which it is read.
        """
        level = 2.0 * alpha if self.one_sided else alpha
        if self.pair is not None:
            items, first, second = self.pair.items, self.pair.only_first, self.pair.only_second
            return smallest_mcnemar_difference(items, first, second, alpha=level, power=self.power)
        effects = sorted(
            minimum_detectable_effect(
                reading.standard_error, min(reading.df, df), alpha=level, power=self.power, tests=self.tests
            )
            for reading in self.readings
        )
        effect = effects[self.passed - 1]
        return effect if effect <= max(-reach.low, reach.high) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One test before its verdict.

    Attributes:
        column: number of its contrast in the replicates.
        items, both: the estimate over test items, and over items and runs.
        by_language: values of the question in each language.
        scope: what the numbers generalise over.
        readings: the t tests of the rungs up to the scope, which the p-value is the largest of; empty where it comes
            from replicates or from a conjunction.
        moderated: the variance over runs is moderated by that of other systems.
        withheld: why no difference may be claimed; empty where it may.
        p_equivalent, p_not_inferior: raw here, adjusted by `families.adjust_tests`.
        items_p_adjusted: p-value over test items alone, adjusted in the same family.
        family_df: most degrees of freedom with which its family reads it.
        alpha_in_family: level at which it is decided, with the other tests as they are; None before families are
            adjusted.
        hurdles: what an effect has to pass; of `at_least` each of its parts.
        resolution: smallest p-value that its replicates can give; 0 where it comes from a distribution.
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
    readings: tuple[Reading, ...]
    moderated: bool
    resampled: str
    withheld: str
    margin_low: float | None
    margin_high: float | None
    p_equivalent: float | None
    p_not_inferior: float | None
    scales: tuple[ScaleRow, ...]
    rungs: tuple[Rung, ...]
    remark: str = ""
    hurdles: Hurdles | None = None
    resolution: float = 0.0
    p_adjusted: float | None = None
    items_p_adjusted: float | None = None
    adjustment: str = ""
    family_df: float = math.inf
    alpha_in_family: float | None = None

    @property
    def name(self) -> str:
        """The id of the hypothesis with the subject of this test."""
        return f"{self.claim.hypothesis.id} {self.claim.subject}".strip()

    @property
    def reach(self) -> Bounds:
        """The smallest and the largest value that the number can take; no interval goes beyond."""
        return self.items.reach

    @property
    def main(self) -> Estimate:
        """The estimate that the scope uses; that over items and runs for the two upper rungs."""
        return self.items if self.scope == "items" else self.both

    @property
    def over_runs(self) -> bool:
        """Whether the scope contains training runs."""
        return self.scope != "items"

    def detectable(self) -> float | None:
        """Smallest true effect that its family would find with probability 0.8, of `at_least` in each of its parts.

        None where there is no bound, as where no effect would be found because the verdict is withheld.
        """
        if self.hurdles is None or self.alpha_in_family is None or self.withheld:
            return None
        effect = self.hurdles.smallest_effect(alpha=self.alpha_in_family, df=self.family_df, reach=self.reach)
        return effect if math.isfinite(effect) else None


def margin_readings(reading: Reading, margin: float) -> tuple[Reading, Reading]:
    """The tests of "at most -margin" and of "at least +margin" that belong to a t test."""
    value, error, df, _ = reading
    return Reading(value + margin, error, df, "greater"), Reading(value - margin, error, df, "less")


def over_items(item: Evidence) -> Evidence:
    """The same test for the trained models as they are: over new test items only."""
    row = item.items
    reading = Reading(row.value, row.standard_error, row.df, row.alternative)
    return replace(
        item,
        scope="items",
        value=row.value,
        standard_error=row.standard_error,
        df=row.df,
        low=row.low,
        high=row.high,
        p=row.p,
        readings=(reading,) if row.interval == "t" else (),
        moderated=False,
        resampled=row.resampled,
        withheld="",
        p_equivalent=None,
        p_not_inferior=None,
        p_adjusted=None,
        adjustment="",
    )
