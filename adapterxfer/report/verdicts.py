"""Declared hypotheses evaluated: one resampling, families adjusted as declared, and a verdict from three words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapterxfer.recipe.hypotheses import Hypothesis
from adapterxfer.report.adjusted import adjusted_interval
from adapterxfer.report.claims import Claim, claims
from adapterxfer.report.declared import FamilySummary, Held, Judged, Outcome, RungRow, Spending
from adapterxfer.report.evidence import Evidence, over_items
from adapterxfer.report.families import adjust_tests
from adapterxfer.report.gathering import gather, moderated
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.spending import VarianceParts, parts_of, spending
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, Rung, decide, resample, significant

IMPLIED = {"noninferior": "noninferior", "equivalent": "equivalent", "at_least": "positive"}
"""What a contrast expects unless the recipe says otherwise."""


BATCH = 2000
"""Contrasts resampled together: bounds the memory of a study of thousands of cells. The draws do not depend on which
questions are asked, so neither does any number."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything about the declared hypotheses of a study.

    Attributes:
        claims, evidence, parts: what each of the tests asks, what it rests on, and the parts of its variance, in their
            order.
    """

    tests: tuple[Judged, ...] = ()
    families: tuple[FamilySummary, ...] = ()
    spending: tuple[Spending, ...] = ()
    claims: tuple[Claim, ...] = ()
    evidence: tuple[Evidence | None, ...] = ()
    parts: tuple[VarianceParts | None, ...] = ()


def judge(study: Study, hypotheses: Sequence[Hypothesis], settings: ReportSettings) -> Verdicts:
    """All tests of all hypotheses, with ladder, equivalence tests and what would make them sharper."""
    if not hypotheses:
        return Verdicts()
    verdicts = judge_claims(study, claims(study, hypotheses), settings)
    rows = tuple(
        spending(item, parts, name=item.name, by_language=item.by_language)
        for item, parts in zip(verdicts.evidence, verdicts.parts, strict=True)
        if item is not None and parts is not None and item.claim.hypothesis.contrast != "at_least"
    )
    return replace(verdicts, spending=rows)


def judge_claims(study: Study, to_judge: Sequence[Claim], settings: ReportSettings) -> Verdicts:
    """The verdicts of any claims, in their order: the one way from a question to a verdict."""
    evidence: dict[int, Evidence] = {}
    parts: dict[int, VarianceParts] = {}
    for batch in _batches([claim for claim in to_judge if claim.contrast is not None]):
        columns = [contrast for claim in batch for contrast in columns_of(claim)]
        replicates = resample(study.table, columns, resamples=settings.resamples, seed=settings.seed)
        replicates, pools = moderated(study, replicates, batch)
        gathered = gather(study.table, replicates, batch, settings.level, pools=pools)
        alpha = 1.0 - settings.level
        adjusted = adjust_tests(gathered, replicates, settings.multiplicity, alpha=alpha)
        fixed = adjust_tests([over_items(item) for item in gathered], replicates, settings.multiplicity, alpha=alpha)
        for item, same in zip(adjusted, fixed, strict=True):
            evidence[id(item.claim)] = replace(item, items_p_adjusted=same.p_adjusted)
            parts[id(item.claim)] = parts_of(item, replicates)
    items = tuple(evidence.get(id(claim)) for claim in to_judge)
    tests = tuple(judged(claim, item, settings.level) for claim, item in zip(to_judge, items, strict=True))
    return Verdicts(
        tests=tests,
        families=families_of(tests),
        claims=tuple(to_judge),
        evidence=items,
        parts=tuple(parts.get(id(claim)) for claim in to_judge),
    )


def _batches(to_judge: Sequence[Claim]) -> Iterator[list[Claim]]:
    """Whole families, since their tests are adjusted together, as many at a time as memory allows."""
    families: dict[str, list[Claim]] = {}
    for claim in to_judge:
        families.setdefault(claim.hypothesis.family, []).append(claim)
    batch: list[Claim] = []
    for members in families.values():
        if batch and sum(len(columns_of(claim)) for claim in (*batch, *members)) > BATCH:
            yield batch
            batch = []
        batch = [*batch, *members]
    if batch:
        yield batch


def columns_of(claim: Claim) -> list[Contrast]:
    """All contrasts that a claim needs."""
    assert claim.contrast is not None
    return [claim.contrast, *claim.languages, *claim.sizes, *claim.parts, *claim.on_scales]


def judged(claim: Claim, item: Evidence | None, level: float) -> Judged:
    """The verdict of one test; without evidence it is inconclusive, whatever the effect."""
    hypothesis, alpha = claim.hypothesis, 1.0 - level
    expected = hypothesis.expect or IMPLIED.get(hypothesis.contrast, "")
    declared: dict[str, Any] = {
        "hypothesis": hypothesis.id,
        "text": hypothesis.text,
        "subject": claim.subject,
        "family": hypothesis.family,
        "contrast": hypothesis.contrast,
        "quantity": hypothesis.of,
        "scope": hypothesis.scope,
        "unit": _unit(hypothesis),
        "margin": hypothesis.margin,
        "alternative": hypothesis.alternative,
        "expected": expected,
        "reference": hypothesis.reference.value if hypothesis.reference else None,
        "reference_label": hypothesis.reference.label if hypothesis.reference else "",
    }
    if item is None:
        return Judged(
            **declared,
            not_inferior=None if hypothesis.margin is None else False,
            held="does not hold" if expected else "",
            remark=f"Not evaluated: {claim.missing}.",
        )
    p, p_equivalent, p_not_inferior = (
        (None, None, None) if item.withheld else (item.p_adjusted, item.p_equivalent, item.p_not_inferior)
    )
    outcome = decide(p=p, p_equivalent=p_equivalent, alpha=alpha)
    equivalent, not_inferior = significant(p_equivalent, alpha), significant(p_not_inferior, alpha)
    ends = adjusted_interval(item, level) or (None, None)
    signs = {row.estimate > 0 for row in item.scales}
    rejected = {significant(row.p, alpha) for row in item.scales}
    return Judged(
        **declared,
        estimate=item.value,
        standard_error=item.standard_error,
        df=item.df,
        low=item.low,
        high=item.high,
        p=item.p,
        p_adjusted=p,
        adjusted_low=ends[0],
        adjusted_high=ends[1],
        adjustment=item.adjustment,
        margin_low=item.margin_low,
        margin_high=item.margin_high,
        p_equivalent=item.p_equivalent,
        p_not_inferior=item.p_not_inferior,
        outcome=outcome,
        verdict=_sentence(item, outcome, ends, equivalent=equivalent),
        not_inferior=None if hypothesis.margin is None else not_inferior,
        held=_held(expected, outcome, item.value, equivalent=equivalent, not_inferior=not_inferior),
        detectable=item.detectable(),
        pairs=claim.pairs,
        runs=item.both.runs,
        clusters=item.items.clusters,
        resampled=item.resampled,
        scales=item.scales,
        scale_dependent=len(signs) > 1 or len(rejected) > 1,
        rungs=tuple(map(_rung, item.rungs)),
        remark=" ".join(remark for remark in (claim.note, item.remark, item.withheld) if remark),
        flags=item.both.flag_texts,
    )


def _rung(rung: Rung) -> RungRow:
    return RungRow(
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


def _unit(hypothesis: Hypothesis) -> str:
    return "points per tenfold parameters" if hypothesis.contrast in ("slope", "slope_difference") else "points"


def _sentence(item: Evidence, outcome: Outcome, ends: tuple[float | None, float | None], *, equivalent: bool) -> str:
    """The verdict with its numbers; ``ends`` are of the interval that belongs to it."""
    margin, unit, detectable = item.claim.hypothesis.margin, _unit(item.claim.hypothesis), item.detectable()
    if outcome == "difference found":
        assert item.value is not None
        shown = f"difference found: {item.value:+.2f} {unit}"
        low, high = ends
        side = item.claim.hypothesis.alternative
        if low is not None and high is not None:
            shown += {"greater": f" [{low:.2f} or more]", "less": f" [{high:.2f} or less]"}.get(
                side, f" [{low:.2f}, {high:.2f}]"
            )
        return f"{shown}, though smaller than {margin:g}" if equivalent else shown
    if outcome == "equivalent":
        return f"equivalent within {margin:g} {unit}"
    if detectable is None:
        return "inconclusive (minimum detectable effect unbounded)"
    parts = f" in each of {item.claim.hypothesis.k} parts" if item.claim.hypothesis.contrast == "at_least" else ""
    return f"inconclusive (minimum detectable effect {detectable:.2f} {unit}{parts})"


def _held(expected: str, outcome: Outcome, value: float | None, *, equivalent: bool, not_inferior: bool) -> Held:
    if not expected:
        return ""
    differs = outcome == "difference found"
    sign = 0.0 if value is None else value
    holds = {
        "difference": differs,
        "positive": differs and sign > 0,
        "negative": differs and sign < 0,
        "equivalent": equivalent,
        "noninferior": not_inferior,
    }[expected]
    return "holds" if holds else "does not hold"


def summarise_families(rows: Iterable[tuple[str, str, str]]) -> tuple[FamilySummary, ...]:
    """How every family was adjusted, and what came out.

    Args:
        rows: family, adjustment and outcome of every test.
    """
    families: dict[str, list[tuple[str, str]]] = {}
    for family, adjustment, outcome in rows:
        families.setdefault(family, []).append((adjustment, outcome))
    summaries = []
    for family, members in families.items():
        methods = dict.fromkeys(adjustment for adjustment, _ in members if adjustment)
        counts = [
            sum(outcome == counted for _, outcome in members)
            for counted in ("difference found", "equivalent", "inconclusive")
        ]
        summaries.append(FamilySummary(family, len(members), ", ".join(methods) or "nothing to adjust", *counts))
    return tuple(summaries)


def families_of(tests: Iterable[Judged]) -> tuple[FamilySummary, ...]:
    """The families of declared tests."""
    return summarise_families((test.family, test.adjustment, test.outcome) for test in tests)
