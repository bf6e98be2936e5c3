"""Which models of a plan are bundled, and under which names; never chosen by their scores. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from adapterxfer.catalog import ORACLE
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.errors import BundleError
from adapterxfer.hub.bundle_results import TRAINING_KINDS
from adapterxfer.plan import Plan
from adapterxfer.recipe.axes import AXES, Axes
from adapterxfer.report.sharing import bundle_name
from adapterxfer.store.keys import Stage

Phase = Literal["target", "intermediate"]


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """One model to bundle.

    Attributes:
        key: of its training stage.
        name: of the bundle.
    """

    key: str
    name: str


def choose(plan: Plan, *, phase: Phase = "target", seed: int | None = None) -> list[ChosenModel]:
    """The models of a narrowed plan, one per system; never chosen by their scores.

    Args:
        phase: ``target``: what the cells were predicted with; ``intermediate``: what was trained before.
        seed: which training run; the first of the recipe if absent.

    Raises:
        BundleError: the plan has no such model.
    """
    run = plan.recipe.seeds[0] if seed is None else seed
    models: dict[str, ChosenModel] = {}
    for cell in plan.cells:
        model = plan.stages[cell.predict].inputs.get("model")
        if model is None or cell.seed != run or cell.control.startswith(ORACLE) or supervision_of(cell.target):
            continue  # a bundle's card says that its model was trained in English
        keys = [model] if phase == "target" else list(_intermediates(plan, model))
        for key in keys:
            stage = plan.stages[key]
            if stage.kind not in TRAINING_KINDS:
                continue  # a reused adapter is published already
            if (phase == "intermediate") == (stage.kind == "train_intermediate") or not stage.labels["target"]:
                models.setdefault(key, ChosenModel(key, _name(plan, stage)))
    if not models:
        raise BundleError(
            f"{plan.recipe.name}: no {phase} model with seed {run} in what --only leaves",
            fix=f"seeds of the recipe: {', '.join(map(str, plan.recipe.seeds))}; controls are not trained",
        )
    return list(models.values())


def _intermediates(plan: Plan, key: str) -> Iterator[str]:
    if plan.stages[key].kind in ("train_intermediate", "reuse_intermediate"):
        yield key
    for role, parent in plan.stages[key].inputs.items():
        if role == "intermediate" or role.startswith("intermediate."):
            yield parent


def _name(plan: Plan, stage: Stage) -> str:
    labels, recipe = stage.labels, plan.recipe
    axes = Axes(**{axis: labels[axis] for axis in AXES})
    shown = axes if len(recipe.adapters) > 1 else replace(axes, adapter="")
    return bundle_name(shown, first_seed=axes.seed == recipe.seeds[0])
