"""The rows of the default tables: every default question once, with the one verdict that its number has.

A number is judged once: in the hypothesis of the recipe that declares it, else in the first family of default
hypotheses that asks about it. Every other row about the same number repeats that verdict and says where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from adapterxfer.report.claims import Claim, ClaimBuilder, Subject
from adapterxfer.report.content import MODELS_ONLY, NO_INTERVAL, Effect
from adapterxfer.report.declared import FamilySummary, Judged, Spending
from adapterxfer.report.default_hypotheses import FAMILIES, LANGUAGES, Default, default_hypotheses
from adapterxfer.report.display import NONE
from adapterxfer.report.evidence import Evidence
from adapterxfer.report.overview import COMPONENTS, component_claims
from adapterxfer.report.rulings import Numbers, Ruling, Rulings
from adapterxfer.report.selection import UNTRAINED, Selector
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.spending import spending
from adapterxfer.report.study import UNTRAINED_LABEL, Study
from adapterxfer.report.verdicts import Verdicts, judge_claims, summarise_families
from adapterxfer.statistics import Contrast, significant

SHOWN = "default.shown-"
"""Beginning of the family of a number that is judged elsewhere."""


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One question and how the report shows it."""

    default: Default
    claim: Claim
    contrast: Contrast


@dataclass(frozen=True, slots=True)
class DefaultAnswers:
    """What the default hypotheses came to.

    Attributes:
        counted: one row of each number that was judged in a family here.
        ladders: the main questions in four scopes of inference.
        rulings: of every number, those of the recipe's hypotheses among them.
    """

    effects: tuple[Effect, ...] = ()
    counted: tuple[Effect, ...] = ()
    ladders: tuple[Judged, ...] = ()
    spending: tuple[Spending, ...] = ()
    rulings: Rulings = field(default_factory=Rulings)


def family_texts() -> dict[str, str]:
    """Family of default hypotheses -> what it is called."""
    return {f"{name}{ending}": text + more for name, text in FAMILIES.items() for ending, more in LANGUAGES.values()}


def answer(study: Study, settings: ReportSettings, declared: Verdicts) -> DefaultAnswers:
    """Every default question of a study.

    Args:
        declared: the verdicts of the recipe's own hypotheses, which stand wherever their numbers appear.
    """
    rulings = Rulings()
    rulings.take(declared, {}, "hypothesis {hypothesis} of the recipe, scope {scope}")
    select = Selector(study)
    rows = rows_of(select, default_hypotheses(study, settings.margin))
    return answer_questions(study, rows, settings, rulings, component_claims(select))


def rows_of(select: Selector, defaults: Iterable[Default]) -> list[AskedRow]:
    """The questions that finished cells can answer; a system that has several names is asked about once."""
    rows = []
    shown: Numbers[None] = Numbers()
    for default in defaults:
        for claim in ClaimBuilder(select, default.hypothesis, ladder=default.ladder).claims():
            if claim.contrast is None or not claim.contrast.terms:
                continue
            if default.systems and shown.find(claim.contrast) is not None:
                continue
            if default.systems:
                shown.add(claim.contrast, None)
            rows.append(AskedRow(default, claim, claim.contrast))
    return rows


def answer_questions(
    study: Study, rows: Sequence[AskedRow], settings: ReportSettings, rulings: Rulings, beside: Sequence[Claim] = ()
) -> DefaultAnswers:
    """Judge the numbers that have no verdict yet, and give one row per question.

    Args:
        beside: claims of which only the parts of the uncertainty are shown; they need no verdict where their number has
            one.
    """
    to_judge = _to_judge(rows, rulings)
    verdicts = judge_claims(study, [*to_judge, *_without_families(beside, to_judge, rulings)], settings)
    texts = family_texts()
    rulings.take(_first(verdicts, len(to_judge)), texts, "{family}")
    effects = []
    counted: dict[int, Effect] = {}
    for row in rows:
        known = rulings.find(row.contrast)
        assert known is not None
        ruling, sign = known
        effects.append(_effect(study, row, ruling, sign, settings))
        if ruling.judged.family in texts:
            counted.setdefault(id(ruling), effects[-1])
    main = zip(to_judge, verdicts.tests, strict=False)
    ladders = [_as_ruled(test, rulings, claim.contrast) for claim, test in main if claim.contrast and _has_text(claim)]
    order = {arm.label: number for number, arm in enumerate(study.arms)}
    return DefaultAnswers(
        effects=tuple(effects),
        counted=tuple(counted.values()),
        ladders=tuple(sorted(ladders, key=lambda test: order.get(test.subject, len(order)))),
        spending=tuple(_spending(verdicts, rulings)),
        rulings=rulings,
    )


def default_families(counted: Iterable[Effect]) -> tuple[FamilySummary, ...]:
    """The families of default hypotheses, of one row for each number."""
    return summarise_families((row.hypotheses, row.adjustment, row.verdict) for row in counted)


def _to_judge(rows: Sequence[AskedRow], rulings: Rulings) -> list[Claim]:
    """One claim for each number without a verdict, and those of ladders, which are shown whatever judges them."""
    unruled: list[Claim] = []
    seen: Numbers[None] = Numbers()
    for row in rows:
        decided = rulings.find(row.contrast) is not None
        if seen.find(row.contrast) is not None or (decided and not row.default.ladder):
            continue
        seen.add(row.contrast, None)
        claim = row.claim
        # Where its verdict stands elsewhere, it takes no part in a family here.
        unruled.append(_alone(claim, len(unruled)) if decided else claim)
    return unruled


def _without_families(beside: Sequence[Claim], to_judge: Sequence[Claim], rulings: Rulings) -> list[Claim]:
    """The claims beside the questions; those whose number has a verdict take no part in a family."""
    judged: Numbers[None] = Numbers()
    for claim in to_judge:
        assert claim.contrast is not None
        judged.add(claim.contrast, None)
    rows = []
    for number, claim in enumerate(beside, start=len(to_judge)):
        assert claim.contrast is not None
        known = judged.find(claim.contrast) or rulings.find(claim.contrast)
        rows.append(claim if known is None else _alone(claim, number))
    return rows


def _alone(claim: Claim, number: int) -> Claim:
    """The claim in a family of its own, which is never shown."""
    return replace(claim, hypothesis=claim.hypothesis.model_copy(update={"family": f"{SHOWN}{number}"}))


def _first(verdicts: Verdicts, count: int) -> Verdicts:
    return replace(
        verdicts,
        tests=verdicts.tests[:count],
        claims=verdicts.claims[:count],
        evidence=verdicts.evidence[:count],
        parts=verdicts.parts[:count],
    )


def _spending(verdicts: Verdicts, rulings: Rulings) -> Iterator[Spending]:
    """Where the uncertainty of the main numbers comes from, as the tests see it that decide about them."""
    for claim, item, parts in zip(verdicts.claims, verdicts.evidence, verdicts.parts, strict=True):
        if item is None or parts is None or claim.contrast is None or not _has_text(claim):
            continue
        name = claim.subject if claim.hypothesis.id == COMPONENTS else f"{claim.hypothesis.text}, {claim.subject}"
        ruling = rulings.find(claim.contrast)
        if ruling is None:
            yield spending(item, parts, name=name, by_language=item.by_language)
        else:
            known, sign = ruling
            yield spending(known.evidence, known.parts, name=name, by_language=item.by_language, sign=sign)


def _has_text(claim: Claim) -> bool:
    """Whether a test is one of the main questions, which have a text of their own."""
    return bool(claim.hypothesis.text)


def _as_ruled(test: Judged, rulings: Rulings, contrast: Contrast) -> Judged:
    """A main question under its own name, with the verdict that its number received elsewhere."""
    ruling = rulings.find(contrast)
    assert ruling is not None
    ruled, sign = ruling[0].judged, ruling[1]
    repeats = ruled.scope == test.scope and sign > 0
    return replace(
        test,
        text=f"{test.text}, {test.subject}",
        outcome=ruled.outcome,
        verdict=ruled.verdict if repeats else f"{ruled.outcome}; judged as {ruling[0].source}",
        p_adjusted=ruled.p_adjusted,
        adjustment=ruled.adjustment,
    )


def _effect(study: Study, row: AskedRow, ruling: Ruling, sign: float, settings: ReportSettings) -> Effect:
    """A row of a default table."""
    default, claim = row.default, row.claim
    test, item, about = ruling.judged, ruling.evidence, claim.about
    low, high = _ends(test.low, test.high, sign)
    items_low, items_high = _ends(item.items.low, item.items.high, sign)
    known = test.adjusted_low is not None
    adjusted = _ends(test.adjusted_low, test.adjusted_high, sign) if known else (None, None)
    variant, against = _named(study, default, about)
    return Effect(
        backbone=about.backbone,
        variant=variant,
        adapter=next((arm.adapter for arm in study.arms if arm.label == about.variant), ""),
        intermediate=about.intermediate,
        target=about.target,
        kind=default.kind,
        hypotheses=default.family_text,
        against=against,
        group_kind=about.group_kind,
        group=about.group,
        estimate=sign * (test.estimate if test.estimate is not None else math.nan),
        standard_error=test.standard_error if test.standard_error is not None else math.nan,
        low=low,
        high=high,
        p=test.p,
        p_adjusted=test.p_adjusted,
        items_low=items_low,
        items_high=items_high,
        items_p=item.items.p,
        items_p_adjusted=item.items_p_adjusted,
        verdict=test.outcome,
        pairs=claim.pairs,
        seeds=test.runs,
        clusters=test.clusters,
        detectable=test.detectable if test.detectable is not None else math.inf,
        pair_kind=about.pair_kind,
        resampled=test.resampled,
        remark=_remark(test, item, settings),
        adjustment=test.adjustment,
        judged_in="" if ruling.family == default.family_text else ruling.source,
        flags=test.flags,
        margin=test.margin,
        p_equivalent=test.p_equivalent,
        adjusted_low=adjusted[0],
        adjusted_high=adjusted[1],
    )


def _ends(low: float | None, high: float | None, sign: float) -> tuple[float, float]:
    """An interval, turned where the sides are exchanged."""
    ends = (math.nan if low is None else low, math.nan if high is None else high)
    return ends if sign > 0 else (-ends[1], -ends[0])


def _named(study: Study, default: Default, about: Subject) -> tuple[str, str]:
    """What a row calls its variant and what it is held against: systems bear the names of tables of scores."""
    if not default.systems:
        return about.variant, about.against
    system = study.systems[about.backbone, about.variant, NONE, about.target]
    shown = study.shown[system, about.target]
    return shown, f"{UNTRAINED_LABEL}{shown}" if about.against == UNTRAINED else about.against


def _remark(test: Judged, item: Evidence, settings: ReportSettings) -> str:
    """What an inconclusive verdict leaves unsaid."""
    if test.outcome != "inconclusive":
        return ""
    if significant(item.items_p_adjusted, 1.0 - settings.level):
        return MODELS_ONLY
    if test.p is None:
        return NO_INTERVAL
    return test.adjustment if test.p_adjusted is None else ""
