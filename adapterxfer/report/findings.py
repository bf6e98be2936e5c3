"""Everything a report says, computed from results: the only place where scores turn into statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapterxfer.catalog import VARIANTS
from adapterxfer.catalog.declared import stated
from adapterxfer.recipe.hypotheses import Hypothesis, Quantity
from adapterxfer.report.answers import write_answers
from adapterxfer.report.cautions import find_cautions
from adapterxfer.report.clusters import domains, grouping
from adapterxfer.report.content import SUPERSEDED, Caution, Effect, Findings, Score, TargetFacts
from adapterxfer.report.declared import Judged, Spending
from adapterxfer.report.default_hypotheses import comparison
from adapterxfer.report.display import Cell, resource_key
from adapterxfer.report.draws import drawn_rows
from adapterxfer.report.effects import answer_questions, default_families, rows_of
from adapterxfer.report.input_counts import input_rows
from adapterxfer.report.judgements import (
    decided_effects,
    decided_tests,
    declared_tests,
    default_counted,
    default_effects,
    default_ladders,
    judge_looks,
)
from adapterxfer.report.look_levels import look_settings, undeclared
from adapterxfer.report.overview import ranks
from adapterxfer.report.provenance import backbone_facts, library_versions, world_diagnostics
from adapterxfer.report.rates import RateFacts, common_trends, rate_cautions
from adapterxfer.report.repeating import repeat_verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.sampling import Sampled
from adapterxfer.report.scores import scores
from adapterxfer.report.selection import Selector
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.sizes import system_sizes
from adapterxfer.report.study import Study
from adapterxfer.report.summary import summarise
from adapterxfer.report.verdicts import families_of, judge
from adapterxfer.report.words import level_text
from adapterxfer.store.keys import SHORT_KEY


def find(
    results: Results,
    settings: ReportSettings,
    *,
    pretraining: Mapping[str, Mapping[str, Any]] | None = None,
    sampling: tuple[Sampled, ...] = (),
    rates: RateFacts | None = None,
) -> Findings:
    """Score, compare and explain the finished part of a study.

    Args:
        pretraining: backbone -> content of its ``pretraining.json``; added to `ReportSettings.diagnostics`.
        sampling: shares of mixed intermediate trainings.
        rates: what was chosen, and the study at common rates.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    rates = rates or RateFacts()
    judgements = judge_looks(results, settings, defaults=True)
    study: Study | None = None
    spent: tuple[Spending, ...] = ()
    score_rows: list[Score] = []
    declared, look = settings, None
    effects, tests = default_effects(declared, judgements), declared_tests(declared, judgements)
    ladders = default_ladders(declared, judgements)
    if judgements:
        last = judgements[-1]
        study, spent = last.study, (*last.verdicts.spending, *last.answered.spending)
        results, settings, look = last.judging.results, last.judging.settings, last.judging.look
        score_rows = list(scores(study))
    libraries = library_versions({cell.predict: results.folders[cell.predict] for cell in results.cells})
    shipped = world_diagnostics() if settings.synthetic else {}
    facts = backbone_facts(
        results.cells, {**shipped, **settings.diagnostics, **(pretraining or {})}, settings.quantized
    )
    missing = tuple(dict.fromkeys(describe(cell) for cell in results.missing))
    inputs = input_rows(results)
    return Findings(
        title=settings.title or settings.recipe,
        declared=tuple({"name": name, **stated(task)} for name, task in results.declared.items()),
        recipe=settings.recipe,
        recipe_file=settings.recipe_file,
        synthetic=settings.synthetic,
        question=_question(study),
        summary=summarise(effects),
        answers=write_answers(study, effects, score_rows, settings.level) if study else (),
        effects=effects,
        scores=tuple(score_rows),
        cautions=(
            *([Caution(SUPERSEDED, settings.superseded)] if settings.superseded else ()),
            *_looks(declared, results),
            *find_cautions(
                study,
                effects,
                score_rows,
                facts,
                libraries,
                missing,
                tests=(*tests, *ladders),
                resamples=settings.resamples,
                level=settings.level,
                sampling=sampling,
                inputs=inputs,
            ),
            *rate_cautions(rates, effects),
        )
        if study
        else (),
        backbones=facts,
        targets=tuple(_target_facts(results, name) for name in results.targets),
        languages=_languages(results),
        variants=tuple(arm.label for arm in study.arms) if study else (),
        intermediates=study.intermediates if study else (),
        seeds=_seeds(results),
        source_language=results.source_language,
        method=_method(settings),
        settings={
            "resamples": settings.resamples,
            "seed": settings.seed,
            "level": settings.level,
            **({} if settings.margin is None else {"margin": settings.margin}),
            **look_settings(declared, look),
        },
        planned=len(results.cells) + len(results.missing),
        finished=len(results.cells),
        missing=missing,
        stage_keys=_stage_keys(results),
        libraries=libraries,
        tests=tests,
        families=families_of(tests),
        default_families=default_families(default_counted(declared, judgements)),
        spending=spent,
        ladders=ladders,
        ranks=ranks(study, settings) if study else (),
        sampling=sampling,
        adapters={arm.label: arm.adapter for arm in study.arms if arm.adapter} if study else {},
        sizes=system_sizes(results, study) if study else (),
        inputs=inputs,
        drawn=tuple(drawn_rows(results)),
        chosen=rates.chosen,
        common_trends=common_trends(rates, effects, settings),
    )


def verdicts(results: Results, settings: ReportSettings) -> tuple[Judged, ...]:
    """The declared hypotheses alone, much faster than a whole report and with the same numbers.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    return declared_tests(settings, judge_looks(results, settings, defaults=False))


def _seeds(results: Results) -> tuple[int, ...]:
    """Seeds of the trained systems; of the controls that are trained where there is nothing else."""
    systems = {cell.seed for cell in results.cells if not cell.control}
    return tuple(sorted(systems or {cell.seed for cell in results.cells if cell.control in VARIANTS}))


def _looks(settings: ReportSettings, results: Results) -> tuple[Caution, ...]:
    """Whether this is one more look at a study that did not declare it."""
    seeds = {cell.seed for cell in results.cells if not cell.is_control}
    caution = undeclared(settings, len(seeds))
    return () if caution is None else (caution,)


def spending(results: Results, settings: ReportSettings) -> tuple[Spending, ...]:
    """Variance components and power of the declared hypotheses and of the main numbers, without the rest of a report.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    last = judge_looks(results, settings, defaults=True)[-1]
    return (*last.verdicts.spending, *last.answered.spending)


def asked_apart(results: Results, settings: ReportSettings, hypotheses: Sequence[Hypothesis]) -> tuple[Judged, ...]:
    """Questions that neither the recipe nor the report asks; a number that has a verdict there keeps it.

    With declared looks they are judged at those, as the report is.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    rows = []
    for row in judge_looks(results, settings, defaults=True):
        at_look = row.judging.settings
        apart = judge(row.study, hypotheses, replace(at_look, multiplicity={}))
        rows.append((row.judging.look, repeat_verdicts(apart, row.answered.rulings, at_look.level)))
    return decided_tests(settings, rows)


def compared(
    results: Results, settings: ReportSettings, sides: tuple[str, str], *, of: Quantity, over: Mapping[str, Any]
) -> tuple[Effect, ...]:
    """One variant against another, with the verdicts of the whole report; arguments as in `comparison`.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    rows = []
    for row in judge_looks(results, settings, defaults=True):
        questions = rows_of(Selector(row.study), comparison(row.study, settings.margin, sides, of=of, over=over))
        answered = answer_questions(row.study, questions, row.judging.settings, row.answered.rulings)
        rows.append((row.judging.look, answered.effects))
    return decided_effects(settings, rows)


def describe(cell: Cell) -> str:
    """``stack nli > xnli on tiny-2, seed 1``."""
    if cell.control:
        where = f" on {cell.backbone}" if cell.backbone else ""
        return f"control {cell.control} for {cell.target}{where}"
    return f"{cell.variant} {cell.intermediate} > {cell.target} on {cell.backbone}, seed {cell.seed}"


def _question(study: Study | None) -> str:
    if study is None:
        return "Nothing is finished yet."
    sizes = len({backbone.size for backbone in study.backbones})
    if not study.intermediates:
        return (
            "How well do these models do in languages they have no labelled data for, and how far above controls that "
            "need no transfer?"
        )
    adapters = any(arm.adapter for arm in study.arms)
    if sizes > 1:
        then = f" Does the gain shrink as backbones grow{', and do adapters keep it' if adapters else ''}?"
    else:
        then = " Do adapters keep it?" if adapters else ""
    return (
        "Does training on an English intermediate task first help a multilingual model in languages it has no labelled "
        f"data for?{then}"
    )


def margin_text(margin: float | None) -> str:
    """When a general answer says "equivalent"."""
    if margin is None:
        return (
            "No general answer says 'equivalent', because the recipe declares no margin: statistics.margin, in points, "
            "before the run."
        )
    return (
        f"'Equivalent' means that both one-sided tests against the declared margin of {margin:g} points reject after "
        "adjustment within the family; trends are no differences in points, so it is never said of them."
    )


def _method(settings: ReportSettings) -> tuple[str, ...]:
    level = level_text(settings.level)
    return (
        "A score is the official metric of a target in one language, in points: 100 is the best. A zero-shot score is "
        "the plain mean over the languages without labelled training data; family and tier scores are plain means over "
        "their languages.",
        *([settings.tiers] if settings.tiers else []),
        "A gain is the score with the intermediate task minus the score of the same variant without it, on the same "
        "test items. Mean gains average the (intermediate, target) pairs with a trained target that every backbone "
        "has, with equal weights; targets that are not trained (retrieval) and kinds of pairs have means of their own.",
        "The trend is the least-squares slope of the gain on log10 of the non-embedding parameters: points per tenfold "
        "parameters. It is about these backbones; a claim about other backbones would need more sizes.",
        f"Intervals ({level}) and verdicts are about new test items and new training runs: they come from "
        "the two-way variance over clusters of test items and over seeds, with a t interval whose critical value is "
        "the mean of those of items and of runs, weighted by their variances (Cochran and Cox). Languages, tasks and "
        "backbones are the fixed ones of this study.",
        f"Beside them stands the paired bootstrap ({settings.resamples} resamples of clusters of test items, the same "
        "for all systems and for all languages of a parallel test set, trained models held fixed), with two-sided "
        "p-values from the bootstrap distribution shifted to the null.",
        "The questions of these tables are default hypotheses, judged by the code that judges those of a recipe: "
        "p-values are adjusted within the family that the tables name, by the method that the table of families names. "
        "A number is judged once: where the recipe declares it, there; else in the first family that asks about it. "
        f"'Difference found' means an adjusted p-value of at most {1 - settings.level:.2g}; "
        "'inconclusive' never means that there is no difference. The remark 'for these trained models alone: found' "
        "means that only the paired bootstrap reaches it.",
        margin_text(settings.margin),
    )


def _target_facts(results: Results, name: str) -> TargetFacts:
    data = results.target(name)
    frame = data.frame
    return TargetFacts(
        name=name,
        metric=data.metric.name,
        protocol=data.protocol,
        languages=frame.languages,
        examples=len(frame.language),
        clusters=len(np.unique(frame.cluster)),
        parallel=len(domains(frame)) < len(frame.languages),
        grouping=grouping(frame),
        gold_fingerprint=data.gold_fingerprint,
    )


def _languages(results: Results) -> tuple[dict[str, str], ...]:
    rows = [
        {"code": code, "name": language.name, "family": language.family, "resource": language.resource}
        for code, language in results.languages.items()
    ]
    source = results.source_language
    rows.sort(key=lambda row: (row["code"] != source, row["family"], resource_key(row["resource"]), row["code"]))
    return tuple(rows)


def _stage_keys(results: Results) -> dict[str, tuple[str, ...]]:
    table: dict[str, set[str]] = {}
    for cell in results.cells:
        key = str(results.file(cell).metadata.get("stage_key", cell.predict))
        table.setdefault(cell.target, set()).add(key[:SHORT_KEY])
    return {target: tuple(sorted(keys)) for target, keys in table.items()}
