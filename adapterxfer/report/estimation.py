"""Answers to the questions of a study: one resampling for all of them, adjusted within declared families."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from adapterxfer.report.cells import NONE
from adapterxfer.report.model import Effect, Score, Verdict
from adapterxfer.report.questions import Question
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study
from adapterxfer.statistics import (
    Cell,
    Estimate,
    System,
    estimates,
    minimum_detectable_effect,
    resample,
    with_adjusted,
)


def answer(study: Study, questions: Sequence[Question], settings: ReportSettings) -> list[Effect]:
    """Estimate every question in two scopes, in the order asked.

    The main scope is new test items and new training runs (two-way variance, t interval); where a system has one seed
    it is test items only. Beside it stands the paired bootstrap over test items with the trained models held fixed.
    """
    if not questions:
        return []
    replicates = resample(
        study.table, [question.contrast for question in questions], resamples=settings.resamples, seed=settings.seed
    )
    runs = estimates(study.table, replicates, scope="items+runs", level=settings.level)
    items = estimates(study.table, replicates, scope="items", level=settings.level)
    runs, items = _adjusted(questions, runs), _adjusted(questions, items)
    return [
        _effect(question, main, fixed, settings.level)
        for question, main, fixed in zip(questions, runs, items, strict=True)
    ]


def scores(study: Study) -> Iterator[Score]:
    """Mean and standard deviation over seeds of every system and control, for every group of languages."""
    for (backbone, arm, intermediate, target), system in study.systems.items():
        yield from _system_scores(study, system, target, backbone, arm, intermediate, "")
    for (label, backbone, target), system in study.controls.items():
        yield from _system_scores(study, system, target, backbone, "", NONE, label)


def _system_scores(
    study: Study, system: System, target: str, backbone: str, arm: str, intermediate: str, control: str
) -> Iterator[Score]:
    for group in study.groups[target]:
        by_run: dict[int, list[float]] = {}
        for language in group.languages:
            rows = study.table.cells[Cell(system, target, language)]
            for run, row in enumerate(rows):
                by_run.setdefault(run, []).append(float(study.table.scores[row]))
        means = [statistics.fmean(values) for values in by_run.values()]
        yield Score(
            backbone=backbone,
            variant=arm,
            intermediate=intermediate,
            target=target,
            control=control,
            group_kind=group.kind,
            group=group.name,
            score=statistics.fmean(means),
            standard_deviation=statistics.stdev(means) if len(means) > 1 else None,
            seeds=len(means),
            languages=len(group.languages),
        )


def _adjusted(questions: Sequence[Question], rows: Iterable[Estimate]) -> tuple[Estimate, ...]:
    result = list(rows)
    families: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        families.setdefault(question.hypotheses, []).append(number)
    for members in families.values():
        adjusted = with_adjusted([result[number] for number in members], "holm")
        for number, row in zip(members, adjusted, strict=True):
            result[number] = row
    return tuple(result)


def _effect(question: Question, main: Estimate, items: Estimate, level: float) -> Effect:
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
        clusters=main.clusters,
        detectable=minimum_detectable_effect(main.standard_error, main.df, alpha=1.0 - level),
        resampled=main.resampled,
        flags=main.flag_texts,
    )
    return replace(effect, verdict=verdict_of(effect, level))


def verdict_of(effect: Effect, level: float) -> Verdict:
    """The fixed vocabulary: what the adjusted p-values of the two scopes allow to say."""
    if effect.p_adjusted is None:
        return "not enough data"
    limit = 1.0 - level + 1e-12
    items = effect.items_p_adjusted is not None and effect.items_p_adjusted <= limit
    if effect.seeds == 1:
        return "found for these models" if items else "inconclusive"
    if effect.p_adjusted <= limit:
        return "difference found"
    return "found for these models" if items else "inconclusive"
