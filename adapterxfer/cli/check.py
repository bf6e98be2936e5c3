"""Check a recipe: every mistake at once, with its place, and everything that this machine lacks for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.console import complain, count, say, say_json
from adapterxfer.cli.options import add_json, add_recipe, hub_notes
from adapterxfer.errors import AdapterxferError, DataError, RecipeError, joined
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.pins import check_pins
from adapterxfer.recipe import Recipe, load_recipe
from adapterxfer.recipe.checks import notes
from adapterxfer.recipe.decidable import undecidable
from adapterxfer.store.kinds import CANDIDATE, CHOICE

if TYPE_CHECKING:
    from adapterxfer.hub.early import AdapterCheck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `check`."""
    add_recipe(parser, only=False)
    parser.add_argument(
        "--online", action="store_true", help="also ask the Hub about published adapters that were not looked at yet"
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print what the recipe asks for, and everything that a run would refuse, of the recipe and of this machine."""
    try:
        recipe = load_recipe(arguments.recipe, arguments.set_)
        check_pins(recipe)
    except AdapterxferError as error:
        if not arguments.json or arguments.debug:
            raise
        say_json("check", {"recipe": arguments.recipe, "ok": False, "problems": problems_of(error)})
        return error.exit_code
    axes = axes_of(recipe)
    plan = build_plan(recipe)
    missing = unavailable(plan)
    refusals = plan.obstacles()
    looks: list[AdapterCheck] = []
    try:
        looks = published(recipe, online=arguments.online)
    except AdapterxferError as error:
        refusals.append(error)
    refusals += damaged(plan)
    problem = joined(refusals)
    if arguments.json:
        result = {
            "recipe": recipe.name,
            "ok": problem is None,
            "problems": [problem for error in refusals for problem in problems_of(error)],
            "axes": axes,
            "unavailable": missing,
            "published": [
                {
                    "task": look.task,
                    "backbone": look.backbone,
                    "repository": look.address.repository,
                    "commit": look.address.revision,
                    "looked": look.looked,
                }
                for look in looks
            ],
            "notes": [*notes(recipe), *hub_notes(plan)],
            "warnings": [*undecidable(recipe), *plan.cautions],
        }
        say_json("check", result)
        return 0 if problem is None else problem.exit_code
    sizes = " x ".join(f"{len(values)} {name.replace('_', ' ')}" for name, values in axes.items())
    say(f"{arguments.recipe}: {'ok' if problem is None else 'cannot run here'}")
    say(f"  {recipe.name}: {sizes}")
    for look in looks:
        fits = "fits by its description" if look.looked else "not looked at: run `check --online` (`run` looks first)"
        say(f"  published adapter: {look.name}: {fits}")
    if recipe.chooses:
        counts = plan.counts()
        say(f"  English dev data choose: {count(counts[CHOICE], 'choice')} by {count(counts[CANDIDATE], 'training')}")
    for note in [*notes(recipe), *hub_notes(plan)]:
        say(f"  note: {note}")
    for warning in (*undecidable(recipe), *plan.cautions):
        say(f"  warning: {warning}")
    if problem is not None:
        complain(str(problem))
        return problem.exit_code
    return 0


def damaged(plan: Plan) -> list[DataError]:
    """What a run would refuse of the contents of files, and of repositories of declared tasks: read as the run will."""
    from adapterxfer.data.readable import unreadable, unreadable_rows

    root = plan.recipe.data_root
    stages = list(plan.stages.of_kind("prepare"))
    errors = [unreadable(stage.identity, root) for stage in stages] if root is not None else []
    errors += [unreadable_rows(stage.identity) for stage in stages]
    return list({str(error): error for error in errors if error is not None}.values())


def problems_of(error: AdapterxferError) -> list[dict[str, Any]]:
    """What is wrong, for programs: mistakes of a recipe with line and column, others as one message with its fix."""
    if isinstance(error, RecipeError):
        return [{"line": p.line, "column": p.column, "message": p.message} for p in error.problems]
    return [{"line": None, "column": None, "message": error.what, "fix": error.fix}]


def published(recipe: Recipe, *, online: bool) -> list[AdapterCheck]:
    """Published adapters of the recipe, compared with it as far as their descriptions are known.

    Raises:
        BundleError: one does not fit; names all of them.
        HubError: the Hub was asked and did not answer.
    """
    if not recipe.reuse:
        return []
    from adapterxfer.hub.early import look_at_published, require_fit

    looks = look_at_published(recipe, online=online)
    require_fit(looks, recipe.name)
    return looks


def axes_of(recipe: Recipe) -> dict[str, list[Any]]:
    """Axis -> its values in this recipe."""
    return {
        "backbones": list(recipe.backbones),
        "intermediate_tasks": list(recipe.intermediate_tasks),
        "target_tasks": list(recipe.target_tasks),
        "variants": list(recipe.variants),
        "adapters": [spec.label for spec in recipe.adapters],
        "seeds": list(recipe.seeds),
    }


def unavailable(plan: Plan) -> dict[str, list[str]]:
    """Backbones of the recipe that have no source, under ``backbone``; empty where all have one."""
    return {"backbone": list(plan.unavailable)} if plan.unavailable else {}
