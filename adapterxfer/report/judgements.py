"""A study judged at each of its looks: declared hypotheses, and the default ones where a whole report is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.report.content import Effect
from adapterxfer.report.declared import Judged
from adapterxfer.report.effects import DefaultAnswers, answer
from adapterxfer.report.look_levels import Judging, Look, first_decided, judgings
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study, build_study
from adapterxfer.report.verdicts import Verdicts, judge


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts, default effects and remarks of one look at the study."""

    judging: Judging
    study: Study
    verdicts: Verdicts
    answered: DefaultAnswers


def judge_looks(results: Results, settings: ReportSettings, *, defaults: bool) -> tuple[Judgement, ...]:
    """One judgement for each look that is reached, the last one at the end; none where nothing is finished.

    Args:
        defaults: also answer the default questions, which takes most of the time.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    rows = []
    for judging in judgings(results, settings) if results.cells else ():
        study = build_study(judging.results)
        verdicts = judge(study, settings.hypotheses, judging.settings)
        answered = answer(study, judging.settings, verdicts) if defaults else DefaultAnswers()
        rows.append(Judgement(judging, study, verdicts, answered))
    return tuple(rows)


def declared_tests(settings: ReportSettings, judgements: Sequence[Judgement]) -> tuple[Judged, ...]:
    """The declared tests, each as the look that decided it saw it."""
    return decided_tests(settings, [(row.judging.look, row.verdicts.tests) for row in judgements])


def default_effects(settings: ReportSettings, judgements: Sequence[Judgement]) -> tuple[Effect, ...]:
    """The rows of the default tables, each as the look that decided it saw it."""
    return decided_effects(settings, [(row.judging.look, row.answered.effects) for row in judgements])


def default_counted(settings: ReportSettings, judgements: Sequence[Judgement]) -> tuple[Effect, ...]:
    """One row for each number of the default families, as the look that decided it saw it."""
    return decided_effects(settings, [(row.judging.look, row.answered.counted) for row in judgements])


def default_ladders(settings: ReportSettings, judgements: Sequence[Judgement]) -> tuple[Judged, ...]:
    """The main questions in four scopes, each as the look that decided it saw it."""
    rows = [(row.judging.look, row.answered.ladders) for row in judgements]
    return first_decided(settings, rows, lambda test: test.text) if rows else ()


def decided_tests(
    settings: ReportSettings, looks: Sequence[tuple[Look | None, Sequence[Judged]]]
) -> tuple[Judged, ...]:
    """Tests of every look, in order, each as the look that decided it saw it."""
    return first_decided(settings, looks, lambda test: (test.family, test.hypothesis, test.subject)) if looks else ()


def decided_effects(
    settings: ReportSettings, looks: Sequence[tuple[Look | None, Sequence[Effect]]]
) -> tuple[Effect, ...]:
    """Rows of every look, in order, each as the look that decided it saw it."""
    return first_decided(settings, looks, _about) if looks else ()


def _about(effect: Effect) -> tuple[object, ...]:
    """What a row of the default tables is about."""
    axes = tuple(effect.values().values())
    return (effect.hypotheses, effect.kind, axes, effect.against, effect.group_kind, effect.group, effect.pair_kind)
