"""The Python face of the command line: run a recipe, compare two variants of a finished study."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import DataError, Problem, RecipeError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import Recipe, load_recipe, read_resolved, resolve_recipe, write_resolved
from adapterxfer.recipe.budget import token_budget

if TYPE_CHECKING:
    from adapterxfer.engines.events import Event, Outcome
    from adapterxfer.report.declared import Judged, Spending
    from adapterxfer.report.model import Effect, Findings
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

DEFAULT_STORE = "store"

ENGINES = ("inline", "ray", "slurm")
"""What can run a plan; all give the same stages and the same predictions."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished, failed or interrupted run.

    Attributes:
        plan: what was run.
        outcome: which stages were made, found, failed or blocked.
        report: folder of the report, or None if it was not made.
    """

    plan: Plan
    outcome: Outcome
    report: Path | None


def default_jobs() -> int:
    """The number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """A recipe from its path, or unchanged."""
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def measure(recipe: Recipe, store: str | Path, *, jobs: int, device: str = "cpu") -> Recipe:
    """Find token budget and number format of a recipe that asks for it, and keep them in the store.

    A stored measurement is used again, so running again gives the same stages.

    Raises:
        StoreError: the stored measurement is damaged.
    """
    if not recipe.needs_measurement or recipe.pretrain is None:
        return recipe
    if read_resolved(store, recipe) is None:
        from adapterxfer.engines.probe import measure_tokens_per_second

        setup = recipe.pretrain
        found = measure_tokens_per_second(
            {size: shape.model_dump() for size, shape in setup.series.items()},
            jobs=min(jobs, len(setup.series)),
            vocabulary=setup.corpus.vocabulary,
            sequence_length=setup.corpus.sequence_length,
            batch_sequences=setup.batch_sequences,
            mask=setup.mask,
            dtype=setup.dtype,
            device=device,
        )
        tokens = token_budget(setup, found["tokens_per_second"], jobs=jobs, dtype=found["dtype"])
        write_resolved(store, recipe, tokens, dtype=found["dtype"], probe=found)
    return resolve_recipe(recipe, store)


def run(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    jobs: int | None = None,
    listener: Callable[[Event], None] | None = None,
    settings: Mapping[str, Any] | None = None,
    prepared: Callable[[Plan], None] | None = None,
    retry_failed: bool = False,
    engine: str = "inline",
    engine_settings: Mapping[str, str] | None = None,
) -> RunResult:
    """Run everything a recipe needs that is not in the store yet.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        jobs: worker processes; the number of cores if absent.
        listener: called for everything that happens to a stage.
        settings: what does not change the numbers, e.g. ``{"device": "cuda"}``.
        prepared: called once with the plan, before the first stage starts.
        retry_failed: also try stages again that earlier runs gave up after three tries.
        engine: one of `ENGINES`; ``ray`` and ``slurm`` need the extra of that name.
        engine_settings: see `adapterxfer.engines.ray.RaySettings` and `adapterxfer.engines.slurm.SlurmSettings`.

    Raises:
        MissingDependency: the engine's extra is not installed.
        RecipeError: the recipe names something that cannot run yet; nothing was trained.
        DataError: original files are missing; nothing was trained.
        BundleError: published adapters do not fit the recipe; names all of them, and nothing was trained.
        HubError: the Hub did not give a published adapter; nothing was trained.
        StoreError: the store cannot be written.
    """
    from adapterxfer.engines.choice import choose_engine
    from adapterxfer.engines.events import silent
    from adapterxfer.engines.published import published_first, refuse_published
    from adapterxfer.store.store import Store

    run_plan = choose_engine(engine, engine_settings or {})
    loaded = as_recipe(recipe)
    workers = jobs or default_jobs()
    # Stages run in other folders too: on the nodes of a cluster that somebody started elsewhere.
    root = str(Path(loaded.data_root).absolute()) if loaded.data_root else loaded.data_root
    handed: dict[str, Any] = {"data_root": root, **(settings or {})}
    # Refuse what cannot run before spending time on measuring speed.
    first = build_plan(loaded, only=only)
    first.require_runnable()
    _require_published(first, Store(store))
    loaded = measure(loaded, store, jobs=workers, device=str(handed.get("device") or "cpu"))
    handed["backbone_folders"] = backbone_folders(loaded)
    plan = build_plan(loaded, only=only)
    plan.require_runnable()
    if prepared is not None:
        prepared(plan)
    ready = Store(store)
    go = partial(
        run_plan, store=ready, jobs=workers, listener=listener or silent, settings=handed, retry_failed=retry_failed
    )
    if (early := published_first(plan, ready)) is not None:
        outcome = go(early)
        if outcome.interrupted:
            return RunResult(plan, outcome, None)
        refuse_published(plan.recipe.name, outcome.failed.values())
    outcome = go(plan)
    last = plan.report
    return RunResult(plan, outcome, outcome.folders.get(last.key) if last is not None else None)


def _require_published(plan: Plan, store: Store) -> None:
    """Compare published adapters that are still needed with the recipe, by what the Hub says of them."""
    done = store.completed()
    needed = {
        (str(stage.labels["backbone"]), str(stage.labels["intermediate"]))
        for stage in plan.stages.values()
        if stage.kind == "reuse_intermediate" and stage.short_key not in done
    }
    if needed:
        from adapterxfer.hub.early import look_at_published, require_fit

        require_fit(look_at_published(plan.recipe, online=True, only=needed), plan.recipe.name)


def report(
    recipe: Recipe | str | Path,
    folder: str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Findings:
    """Write a report of what is finished, complete or not, into a folder; trains nothing.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        settings: statistics that differ from the recipe's: ``resamples``, ``seed``, ``confidence``.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.sampling import read_sampling
    from adapterxfer.report.writing import write_report
    from adapterxfer.store.store import Store

    plan, results, chosen = _finished(recipe, store, only, settings)
    assert plan.report is not None
    completed = Store(store).completed()
    pretraining, mixed = {}, {}
    for role, key in plan.report.inputs.items():
        made = completed.get(plan.stages[key].short_key)
        if role.startswith("pretrain.") and made is not None:
            pretraining[role.removeprefix("pretrain.")] = json.loads((made / "pretraining.json").read_text("utf-8"))
        elif made is not None:
            mixed[role] = made
    return write_report(results, Path(folder), settings=chosen, pretraining=pretraining, sampling=read_sampling(mixed))


def verdicts(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
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
    _, results, chosen = _finished(loaded, store, only, settings)
    return evaluate(results, chosen)


def contrast(
    recipe: Recipe | str | Path,
    declared: Mapping[str, Any],
    *,
    store: str | Path = DEFAULT_STORE,
) -> tuple[Judged, ...]:
    """One question, asked as a hypothesis of docs/hypotheses.md, on what is finished.

    Args:
        declared: its keys; `id` is optional.

    Raises:
        RecipeError: the keys contradict each other.
        DataError: no cell is finished, or predictions do not fit together.
    """
    from pydantic import ValidationError

    from adapterxfer.recipe.hypotheses import read_hypotheses
    from adapterxfer.report.findings import verdicts as evaluate

    try:
        asked = read_hypotheses([{"id": "asked", "family": "asked", **declared}])
    except ValidationError as error:
        problems = [Problem(1, 1, f"{'.'.join(map(str, e['loc']))}: {e['msg']}".strip(": ")) for e in error.errors()]
        raise RecipeError("question", problems) from None
    _, results, chosen = _finished(recipe, store, (), None)
    return evaluate(results, replace(chosen, hypotheses=asked, multiplicity={}))


def power(
    recipe: Recipe | str | Path, *, store: str | Path = DEFAULT_STORE, only: Sequence[str] = ()
) -> tuple[Spending, ...]:
    """What the finished part of a study could find, and what more seeds or test items would change.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.findings import spending

    _, results, chosen = _finished(recipe, store, only, None)
    return spending(results, chosen)


def _finished(
    recipe: Recipe | str | Path, store: str | Path, only: Sequence[str], settings: Mapping[str, Any] | None
) -> tuple[Plan, Results, ReportSettings]:
    """The plan, the results in the store, and the statistics of the recipe with some changed.

    Raises:
        DataError: no cell is finished, or predictions do not fit together.
    """
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

    plan = build_plan(resolve_recipe(as_recipe(recipe), store), only=only)
    results = Results.from_plan(plan, Store(store))
    last = plan.report
    if last is None or not results.cells:
        raise DataError(f"{plan.recipe.name}: no cell is finished in store '{store}'", fix="run the recipe first")
    identity = {**last.identity, "statistics": {**last.identity["statistics"], **(settings or {})}}
    return plan, results, ReportSettings.from_identity(identity)


def compare(
    recipe: Recipe | str | Path,
    a: str,
    b: str,
    *,
    store: str | Path = DEFAULT_STORE,
    targets: Sequence[str] = (),
    backbones: Sequence[str] = (),
) -> list[Effect]:
    """Scores of variant ``a`` minus scores of variant ``b``, from the finished part of a study, in points.

    Args:
        a, b: transfer variants of the recipe.
        targets: only these target tasks; all if empty.
        backbones: only these backbones; all if empty.

    Returns:
        One effect per backbone, intermediate and target, and means over them, each with interval and p-value.

    Raises:
        RecipeError: the recipe has no such variant, target or backbone.
        DataError: nothing to compare is finished.
    """
    from adapterxfer.report.findings import find
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

    if a == b:
        raise RecipeError("compare", [Problem(1, 1, f"'{a}' is compared with itself")], fix="name two variants")
    only = [f"variant={a},{b}"]
    only += [f"target={','.join(targets)}"] if targets else []
    only += [f"backbone={','.join(backbones)}"] if backbones else []
    plan = build_plan(resolve_recipe(as_recipe(recipe), store), only=only)
    results = Results.from_plan(plan, Store(store))
    last = plan.report
    assert last is not None
    effects = find(results, ReportSettings.from_identity(last.identity)).effects if results.cells else ()
    chosen = [_oriented(effect, a) for effect in effects if effect.kind == "variant difference"]
    if not chosen:
        raise DataError(
            f"compare {a} with {b}: no cell of both is finished in store '{store}'", fix="run the recipe first"
        )
    return chosen


def _oriented(effect: Effect, first: str) -> Effect:
    """The effect as ``first`` minus the other variant."""
    if effect.variant.split("/")[0].split(" ")[0] == first:
        return effect
    return replace(
        effect,
        variant=effect.against,
        against=effect.variant,
        estimate=-effect.estimate,
        low=-effect.high,
        high=-effect.low,
        items_low=-effect.items_high,
        items_high=-effect.items_low,
    )


__all__ = [
    "DEFAULT_STORE",
    "RunResult",
    "as_recipe",
    "compare",
    "contrast",
    "default_jobs",
    "measure",
    "power",
    "report",
    "run",
    "verdicts",
]
