"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.cli.console import complain, say
from adapterxfer.errors import AdapterxferError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.generations import NEWEST, caution_text
from adapterxfer.plan.superseded import plan_at, superseded
from adapterxfer.recipe import Recipe, load_recipe, resolve_recipe
from adapterxfer.store.store import Store


def positive(text: str) -> int:
    """A whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return value


def add_recipe(parser: argparse.ArgumentParser, *, only: bool = True) -> None:
    """The recipe file, changes to it, and the part of it that a command is about."""
    parser.add_argument("recipe", help="recipe file, e.g. recipes/quickstart.yaml")
    add_set(parser)
    if only:
        add_only(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Changes to the recipe."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="set_",
        help="change the recipe, e.g. --set train.target.steps=50 --set seeds='[1, 2]'",
    )  # fmt: skip


def add_only(parser: argparse.ArgumentParser) -> None:
    """The part of the recipe that a command is about."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="AXIS=VALUE",
        help="narrow the grid, e.g. --only variant=stack,fuse --only backbone=world-mini; values of one axis add up",
    )  # fmt: skip


def add_store(parser: argparse.ArgumentParser) -> None:
    """Where results are."""
    parser.add_argument("--store", default="store", metavar="DIR", help="folder of results (default: store)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_generation(parser: argparse.ArgumentParser) -> None:
    """Which version of the framework computed the results that are read."""
    parser.add_argument(
        "--generation", type=int, default=NEWEST, metavar="N", choices=range(1, NEWEST + 1),
        help=f"read results as an earlier generation of adapterxfer computed them (1 to {NEWEST}, default: {NEWEST}, "
        "today's)",
    )  # fmt: skip


def pairs_of(option: str, texts: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` of an option that can be given several times.

    Raises:
        AdapterxferError: no name or no value.
    """
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise AdapterxferError(f"{option} {text!r}: expected NAME=VALUE", fix=f"for example {option} a=b")
        pairs[name] = value
    return pairs


def read_recipe(arguments: argparse.Namespace) -> Recipe:
    """The recipe with `--set` applied, and with the stored measurement if the store has one."""
    recipe = load_recipe(arguments.recipe, arguments.set_)
    store = getattr(arguments, "store", None)
    return resolve_recipe(recipe, Path(store)) if store else recipe


def read_plan(arguments: argparse.Namespace) -> Plan:
    """The plan of the recipe, narrowed by `--only`, of the generation that is asked for."""
    return build_plan(read_recipe(arguments), only=arguments.only, generation=getattr(arguments, "generation", NEWEST))


def hub_notes(plan: Plan) -> list[str]:
    """What to say of tasks that a folder was given for and that it does not hold."""
    root = plan.recipe.data_root
    return [
        f"{task}: no official file of it is below data_root '{root}', so it is read from the Hub"
        for task in plan.from_hub
    ]


def say_superseded(arguments: argparse.Namespace) -> None:
    """Say what the store holds of an earlier generation where today's results are missing."""
    earlier = superseded(read_plan(arguments), Store(arguments.store).completed(), only=arguments.only)
    if earlier is not None:
        say(earlier.text(arguments.recipe))


def say_caution(arguments: argparse.Namespace, recipe: Recipe) -> None:
    """Warn where `--generation` reads results that a later change of the framework concerns."""
    if arguments.generation < NEWEST:
        _, changes = plan_at(recipe, only=getattr(arguments, "only", ()), generation=arguments.generation)
        if changes:
            complain(f"caution: {caution_text(arguments.generation, changes)}")
