"""Declared hypotheses evaluated: one resampling, families adjusted as declared, and a verdict from three words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.recipe.hypotheses import Hypothesis
from adapterxfer.report.claims import Claim, claims
from adapterxfer.report.declared import FamilySummary, Held, Judged, Outcome, RungRow, Spending
from adapterxfer.report.evidence import Evidence, gather, moderated
from adapterxfer.report.families import adjust_tests
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.spending import spending
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, Replicates, decide, resample, significant

IMPLIED = {"noninferior": "noninferior", "equivalent": "equivalent", "at_least": "positive"}
"""What a contrast expects unless the recipe says otherwise."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything about the declared hypotheses of a study."""

    tests: tuple[Judged, ...] = ()
    families: tuple[FamilySummary, ...] = ()
    spending: tuple[Spending, ...] = ()


def judge(study: Study, hypotheses: Sequence[Hypothesis], settings: ReportSettings) -> Verdicts:
    """All tests of all hypotheses, with ladder, equivalence tests and what would make them sharper."""
    if not hypotheses:
        return Verdicts()
    asked = claims(study, tuple(hypotheses))
    known = [claim for claim in asked if claim.contrast is not None]
    found: dict[int, Evidence] = {}
    spent: list[Spending] = []
    if known:
        columns = [contrast for claim in known for contrast in _columns(claim)]
        replicates = resample(study.table, columns, resamples=settings.resamples, seed=settings.seed)
        replicates, pools = moderated(study, replicates, known)
        gathered = gather(study.table, replicates, known, settings.level, pools=pools)
        adjusted = adjust_tests(gathered, replicates, settings.multiplicity)
        found = {id(item.claim): item for item in adjusted}
        spent = [
            _spent(item, replicates, settings.level) for item in adjusted if item.claim.asked.contrast != "at_least"
        ]
    tests = tuple(
        _tested(found[id(claim)], settings.level) if id(claim) in found else _not_evaluated(claim) for claim in asked
    )
    return Verdicts(tests, _families(tests), tuple(spent))


def _columns(claim: Claim) -> list[Contrast]:
    assert claim.contrast is not None
    return [claim.contrast, *claim.languages, *claim.sizes, *claim.parts, *claim.on_scales]


def _spent(item: Evidence, replicates: Replicates, level: float) -> Spending:
    return spending(replicates, item.column, item.both, item.by_language, name=item.name, level=level)


def _tested(item: Evidence, level: float) -> Judged:
    asked, alpha = item.claim.asked, 1.0 - level
    p, p_equivalent, p_not_inferior = (
        (None, None, None) if item.withheld else (item.p_adjusted, item.p_equivalent, item.p_not_inferior)
    )
    outcome = decide(p=p, p_equivalent=p_equivalent, alpha=alpha)
    equivalent = significant(p_equivalent, alpha)
    not_inferior = None if asked.margin is None else significant(p_not_inferior, alpha)
    unit = _unit(asked)
    detectable = item.detectable()
    expected = asked.expect or IMPLIED.get(asked.contrast, "")
    signs = [row.estimate > 0 for row in item.scales]
    clear = [significant(row.p, alpha) for row in item.scales]
    return Judged(
        hypothesis=asked.id,
        text=asked.text,
        subject=item.claim.subject,
        family=asked.family,
        contrast=asked.contrast,
        quantity=asked.of,
        scope=item.scope,
        unit=unit,
        estimate=item.value,
        standard_error=item.standard_error,
        df=item.df,
        low=item.low,
        high=item.high,
        p=item.p,
        p_adjusted=item.p_adjusted,
        adjustment=item.adjustment,
        margin=asked.margin,
        margin_low=item.margin_low,
        margin_high=item.margin_high,
        p_equivalent=item.p_equivalent,
        p_not_inferior=item.p_not_inferior,
        outcome=outcome,
        verdict=_sentence(item, outcome, equivalent=equivalent, unit=unit, detectable=detectable),
        not_inferior=not_inferior,
        expected=expected,
        held=_held(expected, outcome, item.value, equivalent=equivalent, not_inferior=bool(not_inferior)),
        reference=asked.reference.value if asked.reference else None,
        reference_label=asked.reference.label if asked.reference else "",
        detectable=detectable,
        pairs=item.claim.pairs,
        runs=item.both.runs,
        clusters=item.items.clusters,
        resampled=item.resampled,
        scales=item.scales,
        scale_dependent=len(set(signs)) > 1 or len(set(clear)) > 1,
        rungs=tuple(
            RungRow(
                scope=rung.scope,
                estimate=rung.value,
                standard_error=rung.standard_error,
                df=rung.df,
                low=rung.low,
                high=rung.high,
                p=rung.p,
                assumes=rung.assumes,
                missing=rung.missing,
            )
            for rung in item.rungs
        ),
        remark=" ".join(part for part in (item.claim.note, item.remark, item.withheld) if part),
        flags=item.both.flag_texts,
    )


def _unit(asked: Hypothesis) -> str:
    return "points per tenfold parameters" if asked.contrast in ("slope", "slope_difference") else "points"


def _sentence(item: Evidence, outcome: Outcome, *, equivalent: bool, unit: str, detectable: float | None) -> str:
    """The verdict with its numbers."""
    margin = item.claim.asked.margin
    if outcome == "difference found":
        assert item.value is not None
        shown = f"difference found: {item.value:+.2f} {unit}"
        if item.low is not None and item.high is not None:
            shown += f" [{item.low:.2f}, {item.high:.2f}]"
        return f"{shown}, though smaller than {margin:g}" if equivalent else shown
    if outcome == "equivalent":
        return f"equivalent within {margin:g} {unit}"
    if detectable is None:
        return "inconclusive (minimum detectable effect unbounded)"
    return f"inconclusive (minimum detectable effect {detectable:.2f} {unit})"


def _held(expected: str, outcome: Outcome, value: float | None, *, equivalent: bool, not_inferior: bool) -> Held:
    if not expected:
        return ""
    found = outcome == "difference found"
    sign = 0.0 if value is None else value
    holds = {
        "difference": found,
        "positive": found and sign > 0,
        "negative": found and sign < 0,
        "equivalent": equivalent,
        "noninferior": not_inferior,
    }[expected]
    return "holds" if holds else "does not hold"


def _not_evaluated(claim: Claim) -> Judged:
    """A test without data: inconclusive, whatever the effect."""
    asked = claim.asked
    expected = asked.expect or IMPLIED.get(asked.contrast, "")
    unit = _unit(asked)
    return Judged(
        hypothesis=asked.id,
        text=asked.text,
        subject=claim.subject,
        family=asked.family,
        contrast=asked.contrast,
        quantity=asked.of,
        scope=asked.scope,
        unit=unit,
        estimate=None,
        standard_error=None,
        df=None,
        low=None,
        high=None,
        p=None,
        p_adjusted=None,
        adjustment="",
        margin=asked.margin,
        margin_low=None,
        margin_high=None,
        p_equivalent=None,
        p_not_inferior=None,
        outcome="inconclusive",
        verdict="inconclusive (minimum detectable effect unbounded)",
        not_inferior=None if asked.margin is None else False,
        expected=expected,
        held="does not hold" if expected else "",
        reference=asked.reference.value if asked.reference else None,
        reference_label=asked.reference.label if asked.reference else "",
        detectable=None,
        pairs=0,
        runs=0,
        clusters=0,
        resampled="",
        scales=(),
        scale_dependent=False,
        rungs=(),
        remark=f"Not evaluated: {claim.missing}.",
        flags=(),
    )


def _families(tests: Sequence[Judged]) -> tuple[FamilySummary, ...]:
    rows = []
    for family in dict.fromkeys(test.family for test in tests):
        own = [test for test in tests if test.family == family]
        methods = dict.fromkeys(test.adjustment for test in own if test.adjustment)
        counts = [
            sum(test.outcome == outcome for test in own)
            for outcome in ("difference found", "equivalent", "inconclusive")
        ]
        rows.append(FamilySummary(family, len(own), ", ".join(methods) or "nothing to adjust", *counts))
    return tuple(rows)
