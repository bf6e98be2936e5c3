"""Ask about the finished part of a study from Python: reports, hypotheses, comparisons, power; trains nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.api.earlier import earlier_looks
from adapterxfer.api.running import DEFAULT_STORE, as_recipe
from adapterxfer.errors import Problem, RecipeError
from adapterxfer.plan import Plan
from adapterxfer.plan.generations import NEWEST, caution_text
from adapterxfer.plan.superseded import nothing_finished, plan_at
from adapterxfer.recipe import Recipe, resolve_recipe
from adapterxfer.recipe.hypotheses import asked

if TYPE_CHECKING:
    from adapterxfer.report.content import Findings
    from adapterxfer.report.declared import Judged, Spending
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings


def report(
    recipe: Recipe | str | Path,
    folder: str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    generation: int = NEWEST,
) -> Findings:
    """Write a report of what is finished, complete or not, into a folder; trains nothing.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        settings: statistics that differ from the recipe's: ``resamples``, ``seed``, ``confidence``.
        generation: reads results as an earlier generation computed them; the report then carries a caution.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.rates import read_rates
    from adapterxfer.report.sampling import read_sampling
    from adapterxfer.report.writing import write_report
    from adapterxfer.store.store import Store

    plan, results, chosen = finished(recipe, store, only, settings, generation)
    assert plan.report is not None
    chosen = replace(chosen, earlier_looks=earlier_looks(Store(store), plan))
    completed = Store(store).completed()
    pretraining, mixed = {}, {}
    for role, key in plan.report.inputs.items():
        stage_folder = completed.get(plan.stages[key].short_key)
        if role.startswith("pretrain.") and stage_folder is not None:
            pretraining[role.removeprefix("pretrain.")] = json.loads(
                (stage_folder / "pretraining.json").read_text("utf-8")
            )
        elif stage_folder is not None:
            mixed[role] = stage_folder
    return write_report(
        results,
        Path(folder),
        settings=chosen,
        pretraining=pretraining,
        sampling=read_sampling(mixed),
        rates=read_rates(plan.report.identity, plan.report.labels, mixed, results.source_language),
    )


def verdicts(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    generation: int = NEWEST,
) -> tuple[Judged, ...]:
    """The declared hypotheses of a recipe evaluated on what is finished; writes nothing.

    The numbers are those of the report, without the time for everything else in it. Arguments as in `report`.

    Raises:
        RecipeError: the recipe declares no hypothesis.
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.findings import verdicts as evaluate

    loaded = as_recipe(recipe)
    if not loaded.statistics.hypotheses:
        raise RecipeError(
            loaded.name,
            [Problem(1, 1, "no hypothesis is declared")],
            fix="declare some in statistics.hypotheses, or --set statistics.include=recipes/hypotheses/phang2020.yaml",
        )
    _, results, chosen = finished(loaded, store, only, settings, generation)
    return evaluate(results, chosen)


def contrast(
    recipe: Recipe | str | Path,
    declared: Mapping[str, Any],
    *,
    store: str | Path = DEFAULT_STORE,
    generation: int = NEWEST,
) -> tuple[Judged, ...]:
    """One question, asked as a hypothesis of docs/hypotheses.md, on what is finished.

    A number that the report of the recipe judges has its verdict here too, and a remark says so.

    Args:
        declared: its keys; `id` is optional.
        generation: see `report`.

    Raises:
        RecipeError: the keys contradict each other.
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.findings import asked_apart

    question = asked(declared)
    _, results, chosen = finished(recipe, store, (), None, generation)
    return asked_apart(results, chosen, [question])


def power(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    generation: int = NEWEST,
) -> tuple[Spending, ...]:
    """What the finished part of a study could find, and what more seeds or test items would change.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.findings import spending

    _, results, chosen = finished(recipe, store, only, None, generation)
    return spending(results, chosen)


def finished(
    recipe: Recipe | str | Path,
    store: str | Path,
    only: Sequence[str],
    settings: Mapping[str, Any] | None,
    generation: int,
) -> tuple[Plan, Results, ReportSettings]:
    """The plan, its finished results, and the report settings of the recipe with the given changes.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

    plan, changes = plan_at(resolve_recipe(as_recipe(recipe), store), only=only, generation=generation)
    results = Results.from_plan(plan, Store(store))
    last = plan.report
    if last is None or not results.cells:
        raise nothing_finished(plan, Store(store), only=only)
    identity = {**last.identity, "statistics": {**last.identity["statistics"], **(settings or {})}}
    chosen = ReportSettings.from_identity(identity, last.labels)
    return plan, results, replace(chosen, superseded=caution_text(generation, changes) if changes else "")
