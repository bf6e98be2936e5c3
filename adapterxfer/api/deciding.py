"""Run a study look by look, with more seeds only for what is undecided, or as far as a budget of hours goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.api.running import DEFAULT_STORE, RunResult, as_recipe, run
from adapterxfer.errors import DataError, Problem, RecipeError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.remaining import estimate
from adapterxfer.recipe import Recipe, resolve_recipe
from adapterxfer.recipe.axes import Axes

if TYPE_CHECKING:
    from adapterxfer.report.declared import Judged
    from adapterxfer.report.undecided import Undecided
    from adapterxfer.store.store import Store


@dataclass(frozen=True, slots=True)
class Decision:
    """What one look came to.

    Attributes:
        seeds: training runs of what was still undecided before it.
        tests: the declared tests.
        undecided: their names, where more seeds could decide them.
        systems: how many systems the next look trains more seeds of; 0 where there is none.
    """

    seeds: int
    tests: tuple[Judged, ...]
    undecided: tuple[str, ...]
    systems: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One more seed for the undecided systems of one backbone.

    Attributes:
        hours: estimated, on one process.
        narrowing: sum over undecided tests of the share by which their standard error is expected to fall.
    """

    backbone: str
    seed: int
    hours: float
    narrowing: float


def run_until_decided(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    told: Callable[[Decision], None] = lambda _: None,
    **options: Any,
) -> tuple[RunResult, tuple[Decision, ...]]:
    """Train the seeds of the first declared look, judge, then train the next look's seeds for what is undecided.

    Args:
        told: called after each look.
        options: those of `run`.

    Returns:
        the last run, whose report covers all systems with the seeds they got, and what each look came to.

    Raises:
        RecipeError: the recipe declares no looks, or no hypothesis to decide.
    """
    from adapterxfer.report.undecided import undecided

    loaded = as_recipe(recipe)
    looks = _require_looks(loaded)
    seeds_of: dict[Axes, int] = {}
    decisions: list[Decision] = []
    for number, look in enumerate(looks):
        result = run(loaded, store=store, only=only, keep=_with_seeds(loaded, seeds_of, looks[0]), **options)
        if result.outcome.exit_code:
            break
        tests, rows = undecided(*_results(result.plan, store))
        systems = {system for row in rows for system in row.systems}
        last = number + 1 == len(looks)
        decision = Decision(look, tests, tuple(row.test.name for row in rows), 0 if last else len(systems))
        decisions.append(decision)
        told(decision)
        if last or not systems:
            break
        seeds_of.update(dict.fromkeys(systems, looks[number + 1]))
    return result, tuple(decisions)


def run_budget(
    recipe: Recipe | str | Path,
    hours: float,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    told: Callable[[Sequence[Purchase]], None] = lambda _: None,
    **options: Any,
) -> tuple[RunResult, tuple[Purchase, ...]]:
    """Train the seeds that are expected to narrow the undecided declared hypotheses most for the hours they take.

    What is finished of the study stays; seeds are bought one backbone at a time, since the runs of one backbone and
    seed share their luck and so narrow a hypothesis together.

    Args:
        hours: of one process, by the speed of the finished stages in the store.
        told: called with what is bought, before it is trained.

    Raises:
        RecipeError: no hypothesis is declared.
        DataError: nothing is finished, so that neither speed nor spread is known.
    """
    from adapterxfer.report.undecided import undecided
    from adapterxfer.store.store import Store

    loaded = as_recipe(recipe)
    if not loaded.statistics.hypotheses:
        raise RecipeError(loaded.name, [Problem(1, 1, "no hypothesis is declared")], fix=_DECLARE)
    ready = Store(store)
    whole = build_plan(resolve_recipe(loaded, store), only=only)
    seeds_of = _finished_seeds(whole, ready)
    if not seeds_of:
        raise DataError(f"{loaded.name}: no cell is finished in store '{store}'", fix="run some seeds first")
    _, rows = undecided(*_results(whole, store))
    bought = _shop(loaded, rows, seeds_of, hours, _Prices(loaded, only, ready))
    told(bought)
    result = run(loaded, store=store, only=only, keep=_with_seeds(loaded, seeds_of, 0), **options)
    return result, tuple(bought)


_DECLARE = "declare what is to be decided in statistics.hypotheses"


def _require_looks(recipe: Recipe) -> tuple[int, ...]:
    looks = recipe.statistics.looks
    problems = [] if looks else [Problem(1, 1, "no looks are declared")]
    problems += [] if recipe.statistics.hypotheses else [Problem(1, 1, "no hypothesis is declared")]
    if problems or looks is None:
        fix = "declare e.g. statistics: {looks: [3, 5, 10], hypotheses: [...]} before the first run"
        raise RecipeError(recipe.name, problems, fix=fix)
    return looks


def _with_seeds(recipe: Recipe, seeds_of: Mapping[Axes, int], otherwise: int) -> Callable[[Axes], bool]:
    """A filter for cells: keeps the first seeds of every system, as many as the system may have."""
    order = {seed: number for number, seed in enumerate(recipe.seeds)}
    counts = dict(seeds_of)
    return lambda axes: order[axes.seed] < counts.get(replace(Axes.of(axes), seed=0), otherwise)


def _results(plan: Plan, store: str | Path) -> tuple[Any, Any]:
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.store.store import Store

    assert plan.report is not None
    return Results.from_plan(plan, Store(store)), ReportSettings.from_identity(plan.report.identity)


def _finished_seeds(plan: Plan, store: Store) -> dict[Axes, int]:
    """System -> how many of the recipe's first seeds are finished, without a gap."""
    done = store.completed()
    order = {seed: number for number, seed in enumerate(plan.recipe.seeds)}
    numbers: dict[Axes, set[int]] = {}
    for cell in plan.cells:
        if not cell.is_control and plan.stages[cell.predict].short_key in done:
            numbers.setdefault(replace(Axes.of(cell), seed=0), set()).add(order[cell.seed])
    counts = {}
    for system, seeds in numbers.items():
        counts[system] = next(number for number in range(len(order) + 1) if number not in seeds)
    return {system: count for system, count in counts.items() if count}


class _Prices:
    """Estimates the hours that a choice of seeds would still take, given what the store already holds."""

    def __init__(self, recipe: Recipe, only: Sequence[str], store: Store) -> None:
        self.recipe, self.only, self.store = recipe, only, store

    def hours(self, seeds_of: Mapping[Axes, int]) -> float:
        """Hours of everything these seeds still lack; infinite if no speed is known."""
        plan = build_plan(self.recipe, only=self.only, keep=_with_seeds(self.recipe, seeds_of, 0))
        rows = [row for row in estimate(plan, self.store) if row.kind != "report"]
        return math.fsum(math.inf if row.seconds is None else row.seconds for row in rows) / 3600.0


def _shop(
    recipe: Recipe, rows: Sequence[Undecided], seeds_of: dict[Axes, int], hours: float, prices: _Prices
) -> list[Purchase]:
    """The best next seed for its price, again and again while the budget lasts; ``seeds_of`` becomes what is bought."""
    bought: list[Purchase] = []
    spent = prices.hours(seeds_of)
    while spent <= hours:
        offers = []
        for backbone in dict.fromkeys(system.backbone for row in rows for system in row.systems):
            systems = {system for row in rows for system in row.systems if system.backbone == backbone}
            number = min(seeds_of.get(system, 0) for system in systems)
            if number >= len(recipe.seeds):
                continue
            more = {**seeds_of, **{system: max(seeds_of.get(system, 0), number + 1) for system in systems}}
            price = prices.hours(more)
            value = narrowing(rows, backbone, number)
            if price <= hours and value > 0:
                offer = Purchase(backbone, recipe.seeds[number], price - spent, value)
                offers.append((value / max(price - spent, 1e-9), offer, more, price))
        if not offers:
            break
        _, offer, more, spent = max(offers, key=lambda priced: priced[0])
        bought.append(offer)
        seeds_of.clear()
        seeds_of.update(more)
    return bought


def narrowing(rows: Iterable[Undecided], backbone: str, seeds: int) -> float:
    """By how much one more seed of a backbone is expected to narrow the undecided tests, each in shares of its error.

    The variance over runs is taken to be spread evenly over the backbones of a test, and to fall as one over the
    number of seeds.
    """
    total = 0.0
    for row in rows:
        backbones = {system.backbone for system in row.systems}
        spent = row.spending
        if backbone not in backbones or spent is None:
            continue
        if spent.runs is None or seeds < 2:
            total += 1.0  # a first spread over runs decides whether anything can be said at all
            continue
        runs = (spent.runs**2 + (spent.interaction or 0.0) ** 2) / len(backbones)
        before = spent.items**2 + spent.runs**2 + (spent.interaction or 0.0) ** 2
        if before > 0:
            total += 1.0 - math.sqrt(max(before - runs / (seeds + 1), 0.0) / before)
    return total
