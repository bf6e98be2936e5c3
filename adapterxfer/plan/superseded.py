"""What a store holds of a recipe as an earlier generation computed it, where today's results are missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from adapterxfer.errors import DataError
from adapterxfer.plan.build import build_plan
from adapterxfer.plan.cells import Cell
from adapterxfer.plan.generations import NEWEST, Change, changes_since
from adapterxfer.plan.model import Plan
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store


@dataclass(frozen=True, slots=True)
class Superseded:
    """Finished cells of an earlier generation whose counterparts of today are missing.

    Attributes:
        generation: the latest one that has any.
        cells: how many.
        changes: what came since and concerns this recipe.
    """

    generation: int
    cells: int
    changes: tuple[Change, ...]

    def text(self, recipe: str) -> str:
        """What is there, why it is not used, and how it is read.

        Args:
            recipe: as the user named it.
        """
        cells = "1 cell that is missing is" if self.cells == 1 else f"{self.cells:,} cells that are missing are"
        return (
            f"{cells} in the store as an earlier version computed them; since then changed: "
            f"{'; '.join(change.name for change in self.changes)}\n"
            f"  read them with: adapterxfer report {recipe} --generation {self.generation}"
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "generation": self.generation,
            "cells": self.cells,
            "changes": [change.name for change in self.changes],
        }


def superseded(plan: Plan, completed: Collection[str], *, only: Sequence[str] = ()) -> Superseded | None:
    """Look for results of earlier generations, the latest first; None where nothing is missing or none are there.

    Args:
        plan: of today.
        completed: short keys of the finished stages of the store.
        only: what narrowed the plan.
    """
    today = {key[:SHORT_KEY] for key in plan.stages}
    if all(key in today for key in completed):
        return None  # most stores hold nothing else; planning anew as it was takes as long as the plan itself
    missing = {_name(cell) for cell in plan.cells if cell.predict[:SHORT_KEY] not in completed}
    known: tuple[Change, ...] = ()
    for generation in reversed(range(1, plan.generation)) if missing else ():
        changes = changes_since(generation, plan.stages.rows)
        if changes == known:
            continue  # the same plan as that of the next generation
        known = changes
        earlier = build_plan(plan.recipe, only=only, generation=generation)
        done = {_name(cell) for cell in earlier.cells if cell.predict[:SHORT_KEY] in completed} & missing
        if done:
            return Superseded(generation, len(done), changes)
    return None


def plan_at(recipe: Recipe, *, only: Sequence[str] = (), generation: int = NEWEST) -> tuple[Plan, tuple[Change, ...]]:
    """The plan of a recipe at a generation, and what came since and concerns it.

    Raises:
        AdapterxferError: there is no such generation.
    """
    plan = build_plan(recipe, only=only, generation=generation)
    if generation == NEWEST:
        return plan, ()
    today = build_plan(recipe, only=only)
    return plan, changes_since(generation, today.stages.rows)


def nothing_finished(plan: Plan, store: Store, *, only: Sequence[str] = ()) -> DataError:
    """The error of a store without a finished cell of a plan; names earlier results where there are some."""
    fix = "run the recipe first"
    if (earlier := superseded(plan, store.completed(), only=only)) is not None:
        fix += f", or read {earlier.cells:,} cells of an earlier version: --generation {earlier.generation}"
    return DataError(f"{plan.recipe.name}: no cell is finished in store '{store.root}'", fix=fix)


def _name(cell: Cell) -> tuple[object, ...]:
    """A cell without its sizes and predictions."""
    return (*cell.values().values(), cell.control)
