"""Verdicts on a store, or on scores that other tools have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import DataError
from adapterxfer.plan.generations import NEWEST, caution_text
from adapterxfer.plan.superseded import nothing_finished, plan_at
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.recipe.including import is_recipe, read_hypothesis_file

if TYPE_CHECKING:
    from adapterxfer.exchange.averages import Average
    from adapterxfer.exchange.sources import Kind, Source
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings

TABLE_RESAMPLES = 10_000
"""Of a table, which has no recipe that says: as many as for a store by default."""


def read_store(
    store: Path,
    recipe: str | Path | None,
    *,
    set_: tuple[str, ...] = (),
    hypotheses: Path | None = None,
    resamples: int | None = None,
    margin: float | None = None,
    generation: int = NEWEST,
) -> tuple[Results, ReportSettings]:
    """The finished part of a study, and the settings of its report with the given changes.

    Args:
        generation: reads results as an earlier generation computed them; the settings then carry a caution.

    Raises:
        DataError: no recipe is given, or no cell of it is finished.
        RecipeError: the recipe or a change is wrong.
    """
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

    if recipe is None:
        raise DataError(
            f"{store}: a store needs --recipe, and no scores of lm-eval, mteb or EuroEval are in the folder",
            fix="name the recipe that was run, or the folder that the other tool wrote",
        )
    changes = [*set_, *([f"statistics.include={hypotheses}"] if hypotheses else [])]
    changes += [f"statistics.resamples={resamples}"] if resamples else []
    changes += [f"statistics.margin={margin}"] if margin is not None else []
    plan, later = plan_at(resolve_recipe(load_recipe(recipe, changes), store), generation=generation)
    results = Results.from_plan(plan, Store(store))
    if plan.report is None or not results.cells:
        raise nothing_finished(plan, Store(store))
    settings = ReportSettings.from_identity(plan.report.identity, plan.report.labels)
    return results, replace(settings, superseded=caution_text(generation, later) if later else "")


def read_table(
    tables: Sequence[Source],
    *,
    columns: Mapping[str, str] | None = None,
    hypotheses: Path | None = None,
    resamples: int | None = None,
    margin: float | None = None,
    seed: int | None = None,
    title: str = "",
    source_language: str = "en",
    common_languages: bool = False,
) -> tuple[Results, ReportSettings]:
    """Per-example scores of any tool as results; `adapterxfer significance --help` lists the columns.

    Args:
        tables: one table, or one for each system.
        columns: name of this framework -> name in the tables, where they differ.

    Raises:
        DataError: the table cannot be read, or the margin is not above 0 and up to 100 points.
        RecipeError: the file of hypotheses is wrong.
    """
    from adapterxfer.report.score_files import read_scores

    listed = [(table.path, table.name, table.seed or None) for table in tables]
    results = read_scores(listed, columns=columns, source_language=source_language, common_languages=common_languages)
    name = title or listed[0][0].stem
    return results, table_settings(name, hypotheses=hypotheses, resamples=resamples, margin=margin, seed=seed)


def read_harness(
    sources: Sequence[Source],
    *,
    metric: str = "",
    languages: Mapping[str, str] | None = None,
    cluster: str = "",
    other_prompts: bool = False,
    common_languages: bool = False,
    source_language: str = "",
    hypotheses: Path | None = None,
    resamples: int | None = None,
    margin: float | None = None,
    seed: int | None = None,
    title: str = "",
) -> tuple[Results, ReportSettings]:
    """Folders of lm-evaluation-harness with ``--log_samples`` as results; see `exchange.lm_eval_results`.

    Raises:
        DataError: files are missing or no samples, or systems differ in documents, answers or prompts.
        RecipeError: the file of hypotheses is wrong.
    """
    from adapterxfer.exchange.lm_eval import read_runs
    from adapterxfer.exchange.lm_eval_results import results_of_runs

    results = results_of_runs(
        read_runs(sources),
        metric=metric,
        languages=languages,
        text_field=cluster,
        other_prompts=other_prompts,
        common_tasks=common_languages,
        source_language=source_language,
    )
    name = title or "lm-eval"
    return results, table_settings(name, hypotheses=hypotheses, resamples=resamples, margin=margin, seed=seed)


def read_averages(sources: Sequence[Source], kind: Kind, *, metric: str = "") -> list[Average]:
    """Averages of mteb or EuroEval, which keep no scores of items.

    Raises:
        DataError: a file cannot be read, or lacks the metric.
    """
    from adapterxfer.exchange.euroeval import read_euroeval
    from adapterxfer.exchange.mteb import read_mteb

    if kind == "mteb":
        if metric:
            raise DataError(f"--metric {metric}: mteb's files are read by their main score", fix="leave --metric out")
        return read_mteb(sources)
    return read_euroeval(sources, metric=metric)


def with_question(
    results: Results,
    settings: ReportSettings,
    *,
    a: Sequence[str],
    b: str,
    scope: str = "",
    each: Sequence[str] = (),
    margin: float | None = None,
) -> ReportSettings:
    """The settings with one more hypothesis for each system in ``a``: its score minus that of ``b``.

    Args:
        scope: over items and runs if empty, where every system has several; else over items.

    Raises:
        DataError: there is no such system.
        RecipeError: scope or each is wrong.
    """
    from adapterxfer.recipe.hypotheses import asked
    from adapterxfer.report.display import NONE

    systems = list(dict.fromkeys(cell.variant for cell in results.cells))
    for name in (*a, b):
        if name not in systems:
            raise DataError(f"no system '{name}'", fix=f"systems: {', '.join(systems)}")
    runs = {name: len({cell.seed for cell in results.cells if cell.variant == name}) for name in (*a, b)}
    chosen = scope or ("items+runs" if min(runs.values()) > 1 else "items")
    declared: dict[str, Any] = {"of": "score", "b": b, "scope": chosen}
    if {cell.intermediate for cell in results.cells} == {NONE}:  # the baseline, which takes part only where it is named
        declared["over"] = {"intermediate": NONE}
    declared |= {"contrast": "difference"} if margin is None else {"contrast": "noninferior", "margin": margin}
    declared |= {"each": tuple(each)} if each else {}
    questions = tuple(
        asked({**declared, "a": name, "id": f"asked.{number}", "text": f"{name} minus {b}"})
        for number, name in enumerate(a, start=1)
    )
    return replace(settings, hypotheses=(*settings.hypotheses, *questions))


def table_settings(
    name: str,
    *,
    hypotheses: Path | None,
    resamples: int | None,
    margin: float | None,
    seed: int | None,
) -> ReportSettings:
    """Settings of a report on scores that no recipe describes.

    Args:
        hypotheses: a file of them, or a recipe; of a recipe also resamples, seed, margin, confidence and looks
            hold, where nothing else is given here.

    Raises:
        DataError: the margin is not above 0 and up to 100 points.
        RecipeError: the file of hypotheses is wrong.
    """
    from adapterxfer.report.settings import ReportSettings

    if margin is not None and not 0.0 < margin <= 100.0:
        raise DataError(f"margin {margin}", fix="give points above 0 and up to 100")
    settings = ReportSettings(resamples=TABLE_RESAMPLES)
    if hypotheses is not None and is_recipe(hypotheses):
        statistics = load_recipe(hypotheses).statistics.identity()
        settings = ReportSettings.from_identity({"statistics": statistics})
    elif hypotheses is not None:
        declared = read_hypothesis_file(hypotheses)
        settings = replace(settings, hypotheses=declared.hypotheses, multiplicity=dict(declared.multiplicity))
    return replace(
        settings,
        title=name,
        recipe=name,
        resamples=resamples or settings.resamples,
        seed=settings.seed if seed is None else seed,
        margin=settings.margin if margin is None else margin,
    )
