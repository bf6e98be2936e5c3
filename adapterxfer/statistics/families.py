"""Adjustment of a family of tests, by the one rule that holds for its scope and its number of runs.

Over test items: Romano-Wolf step-down max-T from the same replicates. Over training runs bootstrap max-T is not safe
with few seeds; there t tests are adjusted by Holm. Those with few runs (fewer than five, with moderated variances fewer
than three) are read with the fewest degrees of freedom of the family, unless they are moderated and about several
backbones: their degrees of freedom add up, and a variance above its lenders' is not drawn down. Two runs of their own
cannot carry a family: a pair that agrees by chance would decide it (error rates .12 to .24). Such tests are withheld.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import Replicates
from adapterxfer.statistics.estimate import Estimate
from adapterxfer.statistics.intervals import t_p
from adapterxfer.statistics.multiplicity import Adjustment, adjust, own_levels, step_down
from adapterxfer.statistics.thresholds import ENOUGH_MODERATED_RUNS, ENOUGH_RUNS
from adapterxfer.statistics.vocabulary import Alternative

Method = Literal["romano_wolf", "holm", "bh", "by"]

WITHHELD = "withheld: two runs per system"
ROMANO_WOLF = "romano-wolf"
NAMES: dict[Adjustment, str] = {"holm": "Holm", "bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}
FEWEST_DF = ", t with the fewest degrees of freedom"


class Reading(NamedTuple):
    """A t test of one rung: the estimate (minus the null value), its standard error, degrees of freedom and side."""

    value: float
    standard_error: float
    df: float
    alternative: Alternative = "two-sided"

    def p(self, df: float = math.inf) -> float:
        """p-value, with at most so many degrees of freedom."""
        return t_p(self.value, self.standard_error, min(self.df, df), alternative=self.alternative)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMember:
    """One member of a family.

    Attributes:
        p: p-value without adjustment; None where there is none, so that the test does not count.
        readings: the t tests that ``p`` is the largest of; empty where it does not come from t tests alone.
        runs: smallest number of training runs per system; 0 where nothing was trained.
        over_runs: its scope contains training runs.
        moderated: its run variance was moderated by that of other systems.
        backbones: of how many run groups its runs are; the degrees of freedom of several add up.
        column: number of its contrast, if ``p`` is a two-sided p-value from replicates; else None.
    """

    p: float | None
    readings: tuple[Reading, ...] = ()
    runs: int = 0
    over_runs: bool = False
    moderated: bool = False
    backbones: int = 1
    column: int | None = None

    @property
    def withheld(self) -> bool:
        """Whether it has two runs of its own only, too few for a family."""
        return self.over_runs and not self.moderated and self.runs == 2

    @property
    def few_runs(self) -> bool:
        """Whether it has to be read with the fewest degrees of freedom of its family."""
        if self.moderated and self.backbones > 1:
            return False
        enough = ENOUGH_MODERATED_RUNS if self.moderated else ENOUGH_RUNS
        return self.over_runs and 0 < self.runs < enough

    def read(self, df: float) -> float:
        """p-value with at most so many degrees of freedom if there are few runs, never smaller than before."""
        assert self.p is not None
        most = df if self.few_runs else math.inf
        return max([self.p, *(reading.p(most) for reading in self.readings)])


class Adjusted(NamedTuple):
    """p-value adjusted for the family, None where withheld or unknown; and by which rule."""

    p: float | None
    adjustment: str


def fewest_df(tests: Sequence[FamilyMember]) -> float:
    """Fewest degrees of freedom of the members with few runs; infinite where there are none."""
    return min((reading.df for test in tests if test.few_runs for reading in test.readings), default=math.inf)


def adjust_tests(
    tests: Sequence[FamilyMember], replicates: Replicates | None = None, *, method: Method = "romano_wolf"
) -> list[Adjusted]:
    """The p-values of a family, adjusted; in the order given.

    Args:
        replicates: where the tests come from, for `romano_wolf`; without them it is `holm`.
        method: of the family; `romano_wolf` becomes `holm` where some test does not rest on replicates alone.
    """
    if len(tests) == 1:
        return [Adjusted(tests[0].p, "one test" if tests[0].p is not None else "")]
    result = [Adjusted(None, WITHHELD if test.withheld else "") for test in tests]
    counted = [number for number, test in enumerate(tests) if test.p is not None and not test.withheld]
    if not counted:
        return result
    members = [tests[number] for number in counted]
    columns = [test.column for test in members]
    if method == "romano_wolf" and replicates is not None and None not in columns:
        joint = step_down(replicates, [column for column in columns if column is not None])
        values, name = np.maximum(joint, [test.read(math.inf) for test in members]), ROMANO_WOLF
    else:
        used: Adjustment = "holm" if method == "romano_wolf" else method
        df = fewest_df(members)
        values = adjust([test.read(df) for test in members], used)
        name = NAMES[used] + (FEWEST_DF if math.isfinite(df) else "")
    for number, value in zip(counted, values.tolist(), strict=True):
        result[number] = Adjusted(min(1.0, value), name)
    return result


def levels_in_family(tests: Sequence[FamilyMember], *, method: Method = "romano_wolf", alpha: float) -> list[float]:
    """The level at which each test of a family is decided, with the others as they are: what its power depends on.

    Where the family is adjusted from replicates it is that of Holm, which is never less strict. It is 0 of tests that
    cannot be found: they are withheld, or have no p-value.
    """
    result = [0.0] * len(tests)
    if len(tests) == 1:
        return [alpha if tests[0].p is not None else 0.0]
    counted = [number for number, test in enumerate(tests) if test.p is not None and not test.withheld]
    members = [tests[number] for number in counted]
    df = fewest_df(members)
    levels = own_levels([test.read(df) for test in members], "holm" if method == "romano_wolf" else method, alpha=alpha)
    for number, level in zip(counted, levels.tolist(), strict=True):
        result[number] = level
    return result


def adjust_family(
    family: Sequence[Estimate], replicates: Replicates, columns: Sequence[int] | None = None
) -> tuple[Estimate, ...]:
    """The same estimates with `p_adjusted` and `adjustment` filled in by `adjust_tests`.

    Args:
        family: estimates that are tested together, all of the same scope and alternative.
        replicates: where they come from.
        columns: the contrast number of each; 0, 1, ... when None.

    Raises:
        StatisticsError: an empty or mixed family, or numbers that do not match.
    """
    chosen = list(range(len(family))) if columns is None else list(columns)
    _check_family(family, replicates, chosen)
    tests = [member_of(row, column) for row, column in zip(family, chosen, strict=True)]
    levels = levels_in_family(tests, alpha=1.0 - family[0].level)
    counted = [test for test in tests if test.p is not None and not test.withheld]
    df = math.inf if len(tests) == 1 else fewest_df(counted)
    adjusted = zip(family, tests, adjust_tests(tests, replicates), levels, strict=True)
    return tuple(
        replace(
            row,
            p_adjusted=p,
            adjustment=adjustment,
            alpha_in_family=level,
            df_in_family=df if test.few_runs else math.inf,
        )
        for row, test, (p, adjustment), level in adjusted
    )


def member_of(row: Estimate, column: int) -> FamilyMember:
    """An estimate as a member of a family."""
    reading = Reading(row.value, row.standard_error, row.df, row.alternative)
    joint = row.scope == "items" and row.interval not in ("t", "agresti-min") and row.alternative == "two-sided"
    return FamilyMember(
        p=row.p,
        readings=(reading,) if row.interval == "t" else (),
        runs=row.runs,
        over_runs=row.scope == "items+runs",
        column=column if joint else None,
    )


def _check_family(family: Sequence[Estimate], replicates: Replicates, columns: Sequence[int]) -> None:
    if not family:
        raise StatisticsError("a family without tests", fix="declare at least one hypothesis in it")
    if len(columns) != len(family):
        raise StatisticsError(f"{len(family)} estimates and {len(columns)} contrast numbers", fix="give one each")
    if len({(row.scope, row.alternative) for row in family}) > 1:
        raise StatisticsError(
            "a family mixes scopes or alternatives", fix="declare one family per scope and alternative"
        )
    for row, column in zip(family, columns, strict=True):
        if row.value != float(replicates.values[column]):
            raise StatisticsError(
                f"'{row.name}' is not contrast {column} of these replicates", fix="pass the number of its contrast"
            )
