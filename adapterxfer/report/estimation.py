"""Answers to the questions of a study: one resampling for all of them, adjusted within declared families."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from adapterxfer.catalog import oracle_without
from adapterxfer.recipe.axes import Axes
from adapterxfer.report.cells import NONE
from adapterxfer.report.declared import Outcome
from adapterxfer.report.model import MODELS_ONLY, NO_INTERVAL, Effect, Score
from adapterxfer.report.questions import Question
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study
from adapterxfer.statistics import (
    Cell,
    Estimate,
    Replicates,
    System,
    adjust,
    equivalence,
    estimates,
    minimum_detectable_effect,
    resample,
    with_adjusted,
)

BATCH = 2000
"""Questions resampled together: bounds the memory of a study of thousands of cells. The draws do not depend on which
questions are asked, so neither does any number."""


def answer(study: Study, questions: Sequence[Question], settings: ReportSettings) -> list[Effect]:
    """Estimate every question in two scopes, in the order asked.

    The main scope is new test items and new training runs (two-way variance, t interval); where a system has one seed
    it is test items only. Beside it stands the paired bootstrap over test items with the trained models held fixed.
    """
    if not questions:
        return []
    runs: list[Estimate] = []
    items: list[Estimate] = []
    outside: list[float | None] = []
    for start in range(0, len(questions), BATCH):
        contrasts = [question.contrast for question in questions[start : start + BATCH]]
        replicates = resample(study.table, contrasts, resamples=settings.resamples, seed=settings.seed)
        runs += estimates(study.table, replicates, scope="items+runs", level=settings.level)
        items += estimates(study.table, replicates, scope="items", level=settings.level)
        own = questions[start : start + BATCH]
        outside += _outside(own, runs[start:], replicates, settings.margin)
    columns = (_adjusted(questions, runs), _adjusted(questions, items), _holm(questions, outside))
    return [
        _effect(question, main, fixed, settings, p)
        for question, main, fixed, p in zip(questions, *columns, strict=True)
    ]


def _outside(
    questions: Sequence[Question], rows: Sequence[Estimate], replicates: Replicates, margin: float | None
) -> list[float | None]:
    """p-values of "the difference is at least the margin"; None where no margin was declared or it does not apply."""
    return [
        None
        if margin is None or question.kind == "trend" or row.p is None
        else equivalence(row, replicates, number, margin=margin).p
        for number, (question, row) in enumerate(zip(questions, rows, strict=True))
    ]


def _holm(questions: Sequence[Question], values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted within the families of the questions; None stays None and does not count."""
    result = list(values)
    for members in _families(questions).values():
        known = [number for number in members if values[number] is not None]
        adjusted = adjust([p for number in known if (p := values[number]) is not None], "holm")
        for number, value in zip(known, adjusted.tolist(), strict=True):
            result[number] = value
    return result


def scores(study: Study) -> Iterator[Score]:
    """Mean and standard deviation over seeds of every system and control, for every group of languages."""
    seen: set[tuple[System, str]] = set()
    for (backbone, arm, intermediate, target), system in study.systems.items():
        repeated = (system, target) in seen
        seen.add((system, target))
        axes = Axes(backbone=backbone, variant=arm, intermediate=intermediate, target=target)
        shown = study.shown[system, target]
        yield from _system_scores(study, system, axes, shown=shown, repeated=repeated)
    for (label, backbone, target), system in study.controls.items():
        axes = Axes(backbone=backbone, intermediate=NONE, target=target)
        yield from _system_scores(study, system, axes, shown=label, control=label)


def _system_scores(
    study: Study, system: System, axes: Axes, *, shown: str, control: str = "", repeated: bool = False
) -> Iterator[Score]:
    without = set(oracle_without(control))
    for group in study.groups[axes.target]:
        if without & set(group.languages):
            continue  # a mean over some of its languages would pass for one over all
        by_run: dict[int, list[float]] = {}
        for language in group.languages:
            rows = study.table.cells[Cell(system, axes.target, language)]
            for run, row in enumerate(rows):
                by_run.setdefault(run, []).append(float(study.table.scores[row]))
        means = [statistics.fmean(values) for values in by_run.values()]
        yield Score(
            **axes.values(),
            control=control,
            shown=shown,
            repeated=repeated,
            group_kind=group.kind,
            group=group.name,
            score=statistics.fmean(means),
            standard_deviation=statistics.stdev(means) if len(means) > 1 else None,
            seeds=len(means),
            languages=len(group.languages),
        )


def _adjusted(questions: Sequence[Question], rows: Iterable[Estimate]) -> list[Estimate]:
    result = list(rows)
    for members in _families(questions).values():
        adjusted = with_adjusted([result[number] for number in members], "holm")
        for number, row in zip(members, adjusted, strict=True):
            result[number] = row
    return result


def _families(questions: Sequence[Question]) -> dict[str, list[int]]:
    """Numbers of the questions by family."""
    families: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        families.setdefault(question.hypotheses, []).append(number)
    return families


def _effect(
    question: Question, main: Estimate, items: Estimate, settings: ReportSettings, p_equivalent: float | None
) -> Effect:
    level = settings.level
    effect = Effect(
        kind=question.kind,
        hypotheses=question.hypotheses,
        backbone=question.backbone,
        variant=question.variant,
        against=question.against,
        intermediate=question.intermediate,
        target=question.target,
        group_kind=question.group_kind,
        group=question.group,
        estimate=main.value,
        standard_error=main.standard_error,
        low=main.low,
        high=main.high,
        p=main.p,
        p_adjusted=main.p_adjusted,
        items_low=items.low,
        items_high=items.high,
        items_p=items.p,
        items_p_adjusted=items.p_adjusted,
        verdict="inconclusive",
        pairs=question.pairs,
        seeds=main.runs,
        pair_kind=question.pair_kind,
        clusters=main.clusters,
        detectable=minimum_detectable_effect(main.standard_error, main.df, alpha=1.0 - level),
        resampled=main.resampled,
        flags=main.flag_texts,
        margin=None if p_equivalent is None else settings.margin,
        p_equivalent=p_equivalent,
    )
    verdict, remark = verdict_of(effect, level)
    return replace(effect, verdict=verdict, remark=remark)


def verdict_of(effect: Effect, level: float) -> tuple[Outcome, str]:
    """What the adjusted p-values of the two scopes allow to say: a verdict, and the remark that stands beside it."""
    if effect.p_adjusted is None:
        return "inconclusive", NO_INTERVAL
    limit = 1.0 - level + 1e-12
    # Of systems trained once, p is about test items: it says nothing about training again.
    if effect.seeds != 1 and effect.p_adjusted <= limit:
        return "difference found", ""
    if effect.seeds != 1 and effect.p_equivalent is not None and effect.p_equivalent <= limit:
        return "equivalent", ""
    items = effect.items_p_adjusted is not None and effect.items_p_adjusted <= limit
    return "inconclusive", MODELS_ONLY if items else ""
