"""Verdicts on a store, or on a table of per-example scores that any tool has written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.errors import DataError
from adapterxfer.plan.generations import NEWEST, caution_text
from adapterxfer.plan.superseded import nothing_finished, plan_at
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.recipe.including import read_hypothesis_file

if TYPE_CHECKING:
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
        raise DataError(f"{store}: a store needs --recipe", fix="name the recipe that was run")
    changes = [*set_, *([f"statistics.include={hypotheses}"] if hypotheses else [])]
    changes += [f"statistics.resamples={resamples}"] if resamples else []
    changes += [f"statistics.margin={margin}"] if margin is not None else []
    plan, later = plan_at(resolve_recipe(load_recipe(recipe, changes), store), generation=generation)
    results = Results.from_plan(plan, Store(store))
    if plan.report is None or not results.cells:
        raise nothing_finished(plan, Store(store))
    settings = ReportSettings.from_identity(plan.report.identity)
    return results, replace(settings, superseded=caution_text(generation, later) if later else "")


def read_table(
    table: Path,
    *,
    hypotheses: Path | None = None,
    resamples: int | None = None,
    margin: float | None = None,
    seed: int = 0,
    title: str = "",
    source_language: str = "en",
    common_languages: bool = False,
) -> tuple[Results, ReportSettings]:
    """Per-example scores of any tool as results; `adapterxfer significance --help` lists the columns.

    Raises:
        DataError: the table cannot be read, or the margin is not above 0 and up to 100 points.
        RecipeError: the file of hypotheses is wrong.
    """
    from adapterxfer.report.score_files import read_scores
    from adapterxfer.report.settings import ReportSettings

    results = read_scores(table, source_language=source_language, common_languages=common_languages)
    declared = read_hypothesis_file(hypotheses) if hypotheses else None
    if margin is not None and not 0.0 < margin <= 100.0:
        raise DataError(f"margin {margin}", fix="give points above 0 and up to 100")
    settings = ReportSettings(
        title=title or table.stem,
        recipe=table.stem,
        resamples=resamples or TABLE_RESAMPLES,
        seed=seed,
        margin=margin,
        hypotheses=declared.hypotheses if declared else (),
        multiplicity=dict(declared.multiplicity) if declared else {},
    )
    return results, settings
