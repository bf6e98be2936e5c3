"""Ask from Python which intermediate task to train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.api.running import DEFAULT_STORE, as_recipe
from adapterxfer.plan import build_plan
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import Recipe, resolve_recipe

if TYPE_CHECKING:
    from adapterxfer.advice.records import Advice, AdviceSettings


def _silent(_: str) -> None:
    """Default listener: ignores every message."""


def advise(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    protocol: AdviceSettings | None = None,
    say: Callable[[str], None] = _silent,
    device: str = "cpu",
) -> Advice:
    """Which intermediate task to train before each target, without training all of them.

    The data of tasks are prepared if the store lacks them: as stages of the recipe, so a later run finds them. Nothing
    else is written.

    Args:
        only: entries such as ``target=world-xnli`` that narrow the grid.
        protocol: how to predict; the defaults of `AdviceSettings`, with the recipe's first seed, if absent.
        say: takes lines of progress.
        device: where to compute: ``cpu``, ``auto``, ``cuda``...

    Raises:
        RecipeError: the recipe names something that cannot run yet.
        DataError: original files are missing, or the recipe leaves nothing to choose.
        BackboneError: a backbone cannot be loaded.
    """
    from adapterxfer.advice.questions import questions_of
    from adapterxfer.advice.records import AdviceSettings
    from adapterxfer.store.store import Store

    plan = build_plan(resolve_recipe(as_recipe(recipe), store), only=only)
    plan.require_runnable()
    chosen = protocol or AdviceSettings(seed=plan.recipe.seeds[0])
    questions = questions_of(plan, seed=chosen.seed)
    ready = Store(store)
    if questions.questions:
        from adapterxfer.engines.worker import run_stage

        missing = {name: stage for name, stage in questions.data.items() if stage.short_key not in ready.completed()}
        if missing:
            ready.open()
        root = plan.recipe.data_root
        for name, stage in missing.items():
            say(f"preparing {name}")
            run_stage(stage, store=ready, settings={"data_root": str(Path(root).absolute()) if root else root})
    from adapterxfer.advice.advise import advise_plan

    folders = backbone_folders(plan.recipe)
    return advise_plan(plan, ready, questions, chosen, folders=folders, say=say, device=device)
