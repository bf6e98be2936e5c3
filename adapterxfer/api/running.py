"""Run a recipe from Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.api.earlier import earlier_looks
from adapterxfer.api.logs import log_event
from adapterxfer.api.notebook import notebook_listener
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import Recipe, load_recipe, read_resolved, resolve_recipe, write_resolved
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.budget import token_budget

if TYPE_CHECKING:
    from adapterxfer.engines.events import Outcome, StageEvent
    from adapterxfer.store.store import Store

DEFAULT_STORE = "store"

ENGINES = ("inline", "ray", "slurm")
"""What can run a plan; all give the same stages and the same predictions."""


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        facts = ", ".join(f"{value} {name}" for name, value in self._facts().items())
        return f"RunResult({self.plan.recipe.name}: {facts})"

    def _repr_html_(self) -> str:
        from adapterxfer.report.notebook import facts_html

        return facts_html(f"Run of {self.plan.recipe.name}", self._facts())

    def _facts(self) -> dict[str, object]:
        ended = self.outcome
        facts: dict[str, object] = {
            "stages made": len(ended.finished),
            "found in the store": len(ended.reused),
            "failed": len(ended.failed),
            "blocked": len(ended.blocked),
            "seconds": round(ended.seconds),
        }
        return {**facts, "report": self.report / "report.html"} if self.report is not None else facts


def default_jobs() -> int:
    """The most worker processes of one thread each that a run starts here: the cores this process may use.

    A second thread is worth less to a stage than a second stage is to the study. At 12 layers 384 wide two processes of
    one thread did 4 to 6 times the work of one process of two, training in full or with adapters, on two cores that
    other jobs used as well (`scripts/benchmark_threads.py`): threads wait for each other at the end of every product,
    processes never do. And sums depend on the number of threads, so it would have to be a part of every result. Of
    these processes the engine starts one only when a stage is ready, fits into memory and none is idle.
    """
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
        probe = measure_tokens_per_second(
            {size: shape.model_dump() for size, shape in setup.series.items()},
            jobs=min(jobs, len(setup.series)),
            vocabulary=setup.corpus.vocabulary,
            sequence_length=setup.corpus.sequence_length,
            batch_sequences=setup.batch_sequences,
            mask=setup.mask,
            dtype=setup.dtype,
            device=device,
        )
        tokens = token_budget(setup, probe["tokens_per_second"], jobs=jobs, dtype=probe["dtype"])
        write_resolved(store, recipe, tokens, dtype=probe["dtype"], probe=probe)
    return resolve_recipe(recipe, store)


def run(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    jobs: int | None = None,
    listener: Callable[[StageEvent], None] | None = None,
    settings: Mapping[str, Any] | None = None,
    prepared: Callable[[Plan], None] | None = None,
    retry_failed: bool = False,
    engine: str = "inline",
    engine_settings: Mapping[str, str] | None = None,
    keep: Callable[[Axes], bool] | None = None,
) -> RunResult:
    """Run everything a recipe needs that is not in the store yet.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        jobs: worker processes; the number of cores if absent.
        listener: called for everything that happens to a stage; without one, the logger ``adapterxfer`` is told, and a
            notebook shows what is in work.
        settings: what does not change the numbers, e.g. ``{"device": "cuda"}``.
        prepared: called once with the plan, before the first stage starts.
        retry_failed: also try stages again that earlier runs gave up after three tries.
        engine: one of `ENGINES`; ``ray`` and ``slurm`` need the extra of that name.
        keep: decides about single trained cells, on top of ``only``.
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
    from adapterxfer.engines.published import published_first, refuse_published
    from adapterxfer.store.store import Store

    run_plan = choose_engine(engine, engine_settings or {})
    loaded = as_recipe(recipe)
    workers = jobs or default_jobs()
    # Stages run in other folders too: on the nodes of a cluster that somebody started elsewhere.
    root = str(Path(loaded.data_root).absolute()) if loaded.data_root else loaded.data_root
    handed: dict[str, Any] = {"data_root": root, **(settings or {})}
    # Refuse what cannot run before spending time on measuring speed.
    first = build_plan(loaded, only=only, keep=keep)
    first.require_runnable()
    _require_published(first, Store(store))
    loaded = measure(loaded, store, jobs=workers, device=str(handed.get("device") or "cpu"))
    handed["backbone_folders"] = backbone_folders(loaded)
    plan = build_plan(loaded, only=only, keep=keep)
    plan.require_runnable()
    if prepared is not None:
        prepared(plan)
    ready = Store(store)
    handed["earlier_looks"] = earlier_looks(ready, plan)
    if listener is None:
        keys = [stage.short_key for stage in plan.stages.values()]
        listener = notebook_listener(plan.recipe.name, keys, ready.completed()) or log_event
    go = partial(run_plan, store=ready, jobs=workers, listener=listener, settings=handed, retry_failed=retry_failed)
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
