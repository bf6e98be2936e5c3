"""Questions asked apart from the report: a number that has a verdict there keeps it, with everything beside it."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.report.declared import Judged
from adapterxfer.report.evidence import Evidence
from adapterxfer.report.rulings import OTHER_QUESTIONS, Rulings
from adapterxfer.report.verdicts import Verdicts, judged
from adapterxfer.statistics import Rung


def repeat_verdicts(verdicts: Verdicts, rulings: Rulings, level: float) -> tuple[Judged, ...]:
    """The tests of questions asked apart; a number that has a verdict in the same scope already keeps it."""
    tests = []
    for claim, item, test in zip(verdicts.claims, verdicts.evidence, verdicts.tests, strict=True):
        hypothesis = claim.hypothesis
        ruling = rulings.find(claim.contrast) if claim.contrast and hypothesis.contrast not in OTHER_QUESTIONS else None
        if ruling is not None and item is not None and _same_question(item, ruling[0].evidence, ruling[1]):
            test = judged(claim, repeated(item, ruling[0].evidence, ruling[1]), level)
            test = replace(test, remark=f"{test.remark} Judged as {ruling[0].source}.".strip())
        tests.append(test)
    return tuple(tests)


def _same_question(item: Evidence, known: Evidence, sign: float) -> bool:
    """Whether a verdict answers the question; a one-sided one says nothing of the other side."""
    side = item.claim.hypothesis.alternative
    return (known.scope, known.claim.hypothesis.alternative) == (item.scope, side) and (sign > 0 or side == "two-sided")


def repeated(item: Evidence, known: Evidence, sign: float) -> Evidence:
    """A question with the numbers that its verdict rests on where the number was judged.

    A family may moderate the variance over runs, read a test with fewer degrees of freedom and decide it at a smaller
    level. Spreads over languages and backbones stay those of the question, since not every test has them.

    Args:
        sign: -1 where the two ask with their sides exchanged.
    """
    low, high = _turned(known.low, known.high, sign)
    same_margin = item.claim.hypothesis.margin == known.claim.hypothesis.margin
    margins = _turned(known.margin_low, known.margin_high, sign) if same_margin else (item.margin_low, item.margin_high)
    return replace(
        item,
        standard_error=known.standard_error,
        df=known.df,
        low=low,
        high=high,
        p=known.p,
        readings=tuple(reading._replace(value=sign * reading.value) for reading in known.readings),
        hurdles=known.hurdles,
        moderated=known.moderated,
        resampled=known.resampled,
        withheld=known.withheld,
        margin_low=margins[0],
        margin_high=margins[1],
        p_equivalent=known.p_equivalent if same_margin else item.p_equivalent,
        p_not_inferior=known.p_not_inferior if same_margin and sign > 0 else item.p_not_inferior,
        rungs=(*(_rung(rung, sign) for rung in known.rungs[:2]), *item.rungs[2:]),
        p_adjusted=known.p_adjusted,
        items_p_adjusted=known.items_p_adjusted,
        adjustment=known.adjustment,
        family_df=known.family_df,
        alpha_in_family=known.alpha_in_family,
    )


def _rung(rung: Rung, sign: float) -> Rung:
    low, high = _turned(rung.low, rung.high, sign)
    return replace(rung, value=None if rung.value is None else sign * rung.value, low=low, high=high)


def _turned(low: float | None, high: float | None, sign: float) -> tuple[float | None, float | None]:
    """Ends of an interval with the sides exchanged where the sign is -1."""
    return (low, high) if sign > 0 else (None if high is None else -high, None if low is None else -low)
