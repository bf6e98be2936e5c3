"""Verdicts on systems of which only averages are known: over languages, over tasks, or over the tool's repetitions.

Without the items nobody can say how the scores would move on other test items, except where the tool itself drew
the items again. Every interval therefore says what was varied, and nothing else is promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.statistics import Outcome, adjust, decide, own_levels, t_interval, t_p

FEWEST_UNITS = 3
"""Languages or tasks below which a spread over them is no estimate: two give one degree of freedom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """One score of one system that a tool computed, in points.

    Attributes:
        subset: of the task, e.g. its language or pair of languages.
        repeats: the same score in each repetition of the tool, in its order; empty where there was one.
        varied: what the repetitions drew anew, for the label of an interval; empty without repetitions.
        items_drawn: whether they drew the test items anew, as a bootstrap sample of them.
        version: of data and task; two systems are compared within one.
    """

    system: str
    task: str
    subset: str
    language: str
    metric: str
    score: float
    version: str
    repeats: tuple[float, ...] = ()
    varied: str = ""
    items_drawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageTest:
    """One comparison of two systems, in points.

    Attributes:
        subject: the task and subset, or ``mean``.
        resampled: what the interval goes over, in words.
        low, high: of this test alone.
        p_adjusted: by Holm over the tests of the tasks; None for a mean, which is a test of its own.
        adjusted_low, adjusted_high: at the level that the test has in its family, so that they leave 0 out exactly
            where `p_adjusted` says "difference found"; None like `p_adjusted`.
        p_equivalent: of "the difference is at least the margin", of this test alone.
        p_equivalent_adjusted: by Holm over the tests of the tasks; None like `p_adjusted`.
        outcome: in the vocabulary of all verdicts; "inconclusive" also where nothing can be tested.
        remark: why not, or what the interval leaves out.
    """

    a: str
    b: str
    subject: str
    metric: str
    estimate: float
    resampled: str
    units: int
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None
    margin: float | None = None
    p_equivalent: float | None = None
    p_equivalent_adjusted: float | None = None
    outcome: Outcome = "inconclusive"
    remark: str = ""


def compare_averages(
    rows: Sequence[Average],
    a: str,
    b: str,
    *,
    margin: float | None = None,
    level: float = 0.95,
    common_languages: bool = False,
) -> tuple[AverageTest, ...]:
    """System ``a`` minus system ``b``: the mean over languages and over tasks, then every task by itself.

    Args:
        margin: in points; tests of equivalence within it.
        common_languages: keep what both have, instead of refusing.

    Raises:
        DataError: the systems have other tasks, subsets, versions or metrics, or one is unknown.
    """
    pairs = _pairs(rows, a, b, common=common_languages)
    tests = _as_family([_by_repeats(left, right, margin=margin, level=level) for left, right in pairs], level=level)
    means = []
    for name, units in (("languages", _means(pairs, "language")), ("tasks", _means(pairs, "task"))):
        if len(units) > 1 or name == "languages":
            means.append(_over(units, name, pairs, margin=margin, level=level))
    return (*means, *tests)


def _pairs(rows: Sequence[Average], a: str, b: str, *, common: bool) -> list[tuple[Average, Average]]:
    sides: dict[str, dict[tuple[str, str], Average]] = {}
    for row in rows:
        side = sides.setdefault(row.system, {})
        if (row.task, row.subset) in side:
            raise DataError(
                f"system '{row.system}': two scores of task '{row.task}' {row.subset}", fix="keep one, or name each run"
            )
        side[row.task, row.subset] = row
    for system in (a, b):
        if system not in sides:
            raise DataError(f"no system '{system}'", fix=f"systems: {', '.join(sides)}")
    left, right = sides[a], sides[b]
    for key in (*left, *right):
        if (key in left) != (key in right) and not common:
            lacking = b if key in left else a
            raise DataError(
                f"system '{lacking}' has no score of task '{key[0]}' {key[1]}, where the other has",
                fix="score both alike, or keep what both have with --common-languages",
            )
    shared = [key for key in left if key in right]
    if not shared:
        raise DataError(f"no task that both '{a}' and '{b}' have", fix="score both on the same tasks")
    for key in shared:
        for name in ("version", "metric"):
            mine, theirs = getattr(left[key], name), getattr(right[key], name)
            if mine != theirs:
                raise DataError(
                    f"task '{key[0]}' {key[1]}: the {name} is {mine} for '{a}' and {theirs} for '{b}'",
                    fix="evaluate both with the same version of the tool and the data",
                )
    return [(left[key], right[key]) for key in shared]


def _means(pairs: Iterable[tuple[Average, Average]], unit: str) -> list[float]:
    """Mean difference of every language, or of every task, so that none counts twice."""
    values: dict[str, list[float]] = {}
    for left, right in pairs:
        values.setdefault(str(getattr(left, unit)), []).append(left.score - right.score)
    return [float(np.mean(listed)) for listed in values.values()]


def _over(
    units: Sequence[float],
    name: str,
    pairs: Sequence[tuple[Average, Average]],
    *,
    margin: float | None,
    level: float,
) -> AverageTest:
    metrics = dict.fromkeys(left.metric for left, _ in pairs)
    test = AverageTest(
        a=pairs[0][0].system,
        b=pairs[0][1].system,
        subject="mean",
        metric=" ".join(metrics),
        estimate=float(np.mean(units)),
        resampled=f"{len(units)} {name}",
        units=len(units),
        margin=margin,
    )
    if len(units) < FEWEST_UNITS:
        return replace(test, remark=f"a verdict over {name} needs {FEWEST_UNITS} or more")
    error = float(np.std(units, ddof=1)) / math.sqrt(len(units))
    remark = f"says how other {name} would come out, and takes every score as exact" if error else _EQUAL
    test = _with_t(replace(test, remark=remark), error, len(units) - 1, level=level)
    return replace(test, outcome=decide(p=test.p, p_equivalent=test.p_equivalent, alpha=1.0 - level))


_EQUAL = "no variation: nothing can be said of its spread"


class _Tested(NamedTuple):
    """A test with the standard error and the degrees of freedom it was made from; 0 where nothing can be tested."""

    test: AverageTest
    error: float = 0.0
    df: int = 0


def _by_repeats(left: Average, right: Average, *, margin: float | None, level: float) -> _Tested:
    """One task by the tool's own repetitions, which are paired: both systems had the same draws.

    Where each repetition is a bootstrap sample of the test items, the spread of the differences is their standard
    error over items, and dividing it by the root of the number of repetitions, as for a mean of independent tests,
    would make the interval as short as one likes by more repetitions on the same items. The mean over n of them adds
    1/n of the variance. Repetitions that only train again vary that alone, and are divided by the root.
    """
    test = AverageTest(
        a=left.system,
        b=right.system,
        subject=f"{left.task} {left.subset}".strip(),
        metric=left.metric,
        estimate=left.score - right.score,
        resampled=left.varied or "nothing",
        units=len(left.repeats),
        margin=margin,
    )
    if not left.repeats or not right.repeats:
        return _Tested(replace(test, resampled="nothing", units=0, remark="an average alone cannot be tested"))
    if len(left.repeats) != len(right.repeats):
        raise DataError(
            f"task '{left.task}': {len(left.repeats)} and {len(right.repeats)} repetitions",
            fix="evaluate both with the same number of iterations: only the same draws can be paired",
        )
    differences = np.array(left.repeats) - np.array(right.repeats)
    count = len(differences)
    spread = float(np.std(differences, ddof=1)) if count > 1 else 0.0
    if count < FEWEST_UNITS or spread == 0.0:
        return _Tested(replace(test, remark=_EQUAL if count >= FEWEST_UNITS else "too few repetitions"))
    error = spread * math.sqrt(1.0 + 1.0 / count) if left.items_drawn else spread / math.sqrt(count)
    remark = "" if left.items_drawn else "the test items were the same each time: says nothing about other items"
    test = replace(test, estimate=float(differences.mean()), remark=remark)
    return _Tested(_with_t(test, error, count - 1, level=level), error, count - 1)


def _with_t(test: AverageTest, error: float, df: int, *, level: float) -> AverageTest:
    if error == 0.0:
        return test
    bounds = t_interval(test.estimate, error, df, level=level)
    test = replace(test, low=bounds.low, high=bounds.high, p=t_p(test.estimate, error, df))
    if test.margin is None:
        return test
    above = t_p(test.estimate, error, df, null=-test.margin, alternative="greater")
    below = t_p(test.estimate, error, df, null=test.margin, alternative="less")
    return replace(test, p_equivalent=max(above, below))


def _as_family(members: Sequence[_Tested], *, level: float) -> list[AverageTest]:
    """The tests of the tasks, differences and equivalences both adjusted by Holm; those without p-value do not count.

    With twenty tasks whose true difference is the margin, unadjusted tests call some task equivalent in 63 % of cases.
    """
    alpha = 1.0 - level
    values = [p for member in members if (p := member.test.p) is not None]
    margins = [p for member in members if (p := member.test.p_equivalent) is not None]
    # Every test with a p-value has one of equivalence too, where there is a margin.
    equivalent = adjust(margins, "holm").tolist() if margins else [None] * len(values)
    adjusted = zip(
        adjust(values, "holm").tolist(), own_levels(values, "holm", alpha=alpha).tolist(), equivalent, strict=True
    )
    result = []
    for test, error, df in members:
        if test.p is None:
            result.append(test)
            continue
        p, alpha_in_family, p_equivalent = next(adjusted)
        bounds = t_interval(test.estimate, error, df, level=1.0 - alpha_in_family)
        result.append(
            replace(
                test,
                p_adjusted=p,
                adjusted_low=bounds.low,
                adjusted_high=bounds.high,
                p_equivalent_adjusted=p_equivalent,
                outcome=decide(p=p, p_equivalent=p_equivalent, alpha=alpha),
            )
        )
    return result
