"""p-values of tests adjusted within their family, by the rule of `statistics.families` for scope and seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from adapterxfer.report.evidence import Evidence, margin_readings
from adapterxfer.statistics import FamilyMember, Replicates, adjust, fewest_df, levels_in_family
from adapterxfer.statistics import adjust_tests as adjust_family_of
from adapterxfer.statistics.families import ROMANO_WOLF, WITHHELD, Method

EXPLORATORY = "exploratory"
"""Family whose default is a false discovery rate."""

TWO_RUNS = (
    "Adjusted p-values are withheld: with two training runs per system a family of several tests cannot keep its error "
    "rate. Use three seeds or more, or a family of one test."
)


def adjust_tests(
    tests: Sequence[Evidence], replicates: Replicates, multiplicity: Mapping[str, str], *, alpha: float
) -> list[Evidence]:
    """The same tests with adjusted p-values, and the levels at which they are decided, in their order.

    Differences and margins are separate questions: of one test at most one of "the effect is 0" and "the effect is at
    least the margin" can be true, so each kind is adjusted over the whole family.
    """
    result = list(tests)
    for family in dict.fromkeys(item.claim.hypothesis.family for item in tests):
        numbers = [number for number, item in enumerate(tests) if item.claim.hypothesis.family == family]
        method = multiplicity.get(family, "bh" if family == EXPLORATORY else "romano_wolf")
        members = [tests[number] for number in numbers]
        adjusted = _family(members, replicates, method, alpha)  # type: ignore[arg-type]
        for number, item in zip(numbers, adjusted, strict=True):
            result[number] = item
    return result


def _family(members: list[Evidence], replicates: Replicates, method: Method, alpha: float) -> list[Evidence]:
    groups = replicates.components.groups
    tests = [_member(item, backbones=len(groups[item.column])) for item in members]
    adjusted = adjust_family_of(tests, replicates, method=method)
    levels = levels_in_family(tests, method=method, alpha=alpha)
    result = [
        _too_coarse(replace(item, p_adjusted=p, adjustment=adjustment, alpha_in_family=level))
        for item, (p, adjustment), level in zip(members, adjusted, levels, strict=True)
    ]
    if len(members) == 1:
        return result
    result = [
        replace(item, p_equivalent=None, p_not_inferior=None, withheld=item.withheld or TWO_RUNS)
        if item.adjustment == WITHHELD
        else item
        for item in result
    ]
    fewest = fewest_df([test for test in tests if test.p is not None and not test.withheld])
    limits = [fewest if test.few_runs else math.inf for test in tests]
    result = [replace(item, family_df=limit) for item, limit in zip(result, limits, strict=True)]
    return _margins(result, "holm" if method == "romano_wolf" else method)


def _too_coarse(item: Evidence) -> Evidence:
    """Nothing can be found where the family asks for a smaller p-value than the replicates can give.

    Romano-Wolf counts the replicates of the whole family at once and asks for no smaller one.
    """
    level = item.alpha_in_family
    if level is None or item.adjustment == ROMANO_WOLF or not 0.0 < level < item.resolution:
        return item
    said = (
        f"With these resamples no p-value is below {item.resolution:.2g}, and in this family one of at most "
        f"{level:.2g} is needed: give more resamples."
    )
    return replace(item, alpha_in_family=0.0, remark=f"{item.remark} {said}".strip())


def _member(item: Evidence, *, backbones: int) -> FamilyMember:
    hypothesis = item.claim.hypothesis
    joint = (
        item.scope == "items"
        and hypothesis.alternative == "two-sided"
        and hypothesis.contrast != "at_least"
        and item.items.interval not in ("t", "agresti-min")
    )
    return FamilyMember(
        p=item.p,
        readings=item.readings,
        runs=item.both.runs,
        over_runs=item.over_runs,
        moderated=item.moderated,
        backbones=backbones,
        column=item.column if joint else None,
    )


def _margins(members: list[Evidence], method: Literal["holm", "bh", "by"]) -> list[Evidence]:
    """Margin tests adjusted over all members that declare a margin, each read with its family's degrees of freedom."""
    result = list(members)
    numbers = [number for number, item in enumerate(members) if item.p_equivalent is not None]
    read = [_in_family(members[number]) for number in numbers]
    for position, name in enumerate(("p_equivalent", "p_not_inferior")):
        adjusted = adjust([values[position] for values in read], method).tolist()
        for number, value in zip(numbers, adjusted, strict=True):
            result[number] = replace(result[number], **{name: value})
    return result


def _in_family(item: Evidence) -> tuple[float, float]:
    """p-values of "outside of the margins" and of "worse by the margin", never smaller than before."""
    margin = item.claim.hypothesis.margin
    assert margin is not None
    assert item.p_equivalent is not None
    assert item.p_not_inferior is not None
    outside, inferior = item.p_equivalent, item.p_not_inferior
    for reading in item.readings if math.isfinite(item.family_df) else ():
        above, below = (test.p(item.family_df) for test in margin_readings(reading, margin))
        outside, inferior = max(outside, above, below), max(inferior, above)
    return outside, inferior
