"""p-values of declared tests adjusted within their declared family, by the rule that holds for scope and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapterxfer.report.evidence import Evidence
from adapterxfer.statistics import Replicates, adjust, adjust_family, t_p

EXPLORATORY = "exploratory"
"""Family whose default is a false discovery rate."""

ENOUGH_RUNS = 5
"""From so many training runs per system on, Holm on Satterthwaite t keeps its level."""

LABELS = {"holm": "Holm", "bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}

WITHHELD = (
    "Adjusted p-values are withheld: with two training runs per system a family of several tests cannot keep its error "
    "rate. Use three seeds or more, or a family of one test."
)


def adjust_tests(found: Sequence[Evidence], replicates: Replicates, multiplicity: Mapping[str, str]) -> list[Evidence]:
    """The same tests with adjusted p-values, in their order.

    Differences and margins are separate questions: of one test at most one of "the effect is 0" and "the effect is at
    least the margin" can be true, so each kind is adjusted over the whole family.
    """
    result = list(found)
    for family in dict.fromkeys(item.claim.asked.family for item in found):
        places = [place for place, item in enumerate(found) if item.claim.asked.family == family]
        method = multiplicity.get(family, "bh" if family == EXPLORATORY else "romano_wolf")
        for place, item in zip(places, _family([found[p] for p in places], replicates, method), strict=True):
            result[place] = item
    return result


def _family(members: list[Evidence], replicates: Replicates, method: str) -> list[Evidence]:
    if len(members) == 1:
        return [replace(members[0], p_adjusted=members[0].p, adjustment="one test")]
    fewest = min((item.both.runs for item in members if item.scope == "items+runs" and item.both.runs > 0), default=0)
    if fewest == 2:
        return [
            replace(
                item,
                p_adjusted=None,
                p_equivalent=None,
                p_not_inferior=None,
                adjustment="withheld: two runs per system",
                withheld=item.withheld or WITHHELD,
            )
            for item in members
        ]
    # With one run per system (fewest == 1) every verdict is withheld already; its p-values are over items.
    few = 2 < fewest < ENOUGH_RUNS
    false_discovery = method in ("bh", "by")
    members = _margins(members, few=few, method=method if false_discovery else "holm")
    if not false_discovery and _jointly(members, method, few=few):
        rows = adjust_family([item.main for item in members], replicates, [item.column for item in members])
        return [
            replace(item, p_adjusted=row.p_adjusted, adjustment=row.adjustment)
            for item, row in zip(members, rows, strict=True)
        ]
    chosen = method if false_discovery else "holm"
    values = [1.0 if item.p is None else item.p for item in members]
    if few and not false_discovery:
        values = _with_fewest_df(members, values)
    label = LABELS[chosen] + (", t with the fewest degrees of freedom" if few and not false_discovery else "")
    adjusted = adjust(values, chosen).tolist()  # type: ignore[arg-type]
    return [replace(item, p_adjusted=value, adjustment=label) for item, value in zip(members, adjusted, strict=True)]


def _jointly(members: Sequence[Evidence], method: str, *, few: bool) -> bool:
    """Whether the family can be tested from the joint distribution: plain two-sided differences in one scope."""
    plain = all(
        item.claim.asked.alternative == "two-sided" and item.claim.asked.contrast != "at_least" for item in members
    )
    scopes = {item.main.scope for item in members} | {item.scope for item in members}
    return plain and len(scopes) == 1 and scopes <= {"items", "items+runs"} and (method == "romano_wolf" or few)


def _with_fewest_df(members: Sequence[Evidence], values: Sequence[float]) -> list[float]:
    """p-values of t tests read with the fewest degrees of freedom of the family, never smaller than before."""
    df = min((item.df for item in members if item.from_t and item.df is not None), default=float("inf"))
    result = []
    for item, value in zip(members, values, strict=True):
        if not item.from_t or item.value is None or item.standard_error is None or item.claim.parts:
            result.append(value)
            continue
        read = t_p(item.value, item.standard_error, df, alternative=item.claim.asked.alternative)
        result.append(max(value, read))
    return result


def _margins(members: list[Evidence], *, few: bool, method: str) -> list[Evidence]:
    """Margin tests adjusted over all members that declare a margin."""
    result = list(members)
    places = [place for place, item in enumerate(members) if item.p_equivalent is not None]
    for name in ("p_equivalent", "p_not_inferior") if len(places) > 1 else ():
        values = [float(getattr(members[place], name)) for place in places]
        if few:
            values = [_margin_with_fewest_df(members, members[p], name, v) for p, v in zip(places, values, strict=True)]
        for place, value in zip(places, adjust(values, method).tolist(), strict=True):  # type: ignore[arg-type]
            result[place] = replace(result[place], **{name: value})
    return result


def _margin_with_fewest_df(members: Sequence[Evidence], item: Evidence, name: str, value: float) -> float:
    margin = item.claim.asked.margin
    if not item.from_t or margin is None or item.value is None or item.standard_error is None:
        return value
    df = min((other.df for other in members if other.from_t and other.df is not None), default=float("inf"))
    above = t_p(item.value, item.standard_error, df, null=-margin, alternative="greater")
    below = t_p(item.value, item.standard_error, df, null=margin, alternative="less")
    return max(value, above if name == "p_not_inferior" else max(above, below))
