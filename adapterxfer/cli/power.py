"""What a study can find: from its finished part, or planned from test items, seeds and discordance.

With a recipe: the minimum detectable effect of every declared hypothesis and main number, where the uncertainty comes
from, and what more seeds or test items would change. Without one: a planning table for two systems on the same items.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from adapterxfer.api import power
from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import (
    add_generation,
    add_json,
    add_only,
    add_set,
    add_store,
    positive,
    read_recipe,
    say_caution,
)
from adapterxfer.errors import AdapterxferError

if TYPE_CHECKING:
    from adapterxfer.report.declared import Spending
    from adapterxfer.report.planning import Planned

DEFAULT_SEEDS = [1, 3, 5, 10]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `power`."""
    parser.add_argument("recipe", nargs="?", help="recipe whose finished part is looked at; without it: plan ahead")
    add_set(parser)
    add_only(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument(
        "--items", type=positive, action="append", default=[], metavar="N", help="independent test items"
    )
    parser.add_argument(
        "--seeds", type=positive, action="append", default=[], metavar="N", help="training runs per system"
    )
    parser.add_argument(
        "--discordance", type=float, default=0.2, metavar="SHARE",
        help="share of items that only one of the two systems gets right (default: 0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--seed-sd", type=float, default=None, metavar="POINTS",
        help="standard deviation of one system's score over seeds; needed to plan with several seeds",
    )  # fmt: skip
    parser.add_argument("--effect", type=float, metavar="POINTS", help="print the power of finding this difference")
    parser.add_argument("--tests", type=positive, default=1, metavar="N", help="tests in the family (default: 1)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per number, or per combination of items and seeds."""
    if arguments.recipe is None and not arguments.items:
        raise AdapterxferError(
            "power: neither a recipe nor --items given",
            fix="adapterxfer power RECIPE, or adapterxfer power --items 1190 --discordance 0.2 --effect 2",
        )
    if arguments.recipe is not None:
        if arguments.items:
            raise AdapterxferError(
                "power: --items plans a study ahead, and a recipe is asked for what is finished", fix="leave one out"
            )
        recipe = read_recipe(arguments)
        say_caution(arguments, recipe)
        rows = power(recipe, store=arguments.store, only=arguments.only, generation=arguments.generation)
        if arguments.json:
            say_json("power", {"rows": [asdict(row) for row in rows]})
        else:
            _say_study(rows)
        return 0
    from adapterxfer.report.planning import plan_comparison

    if arguments.seed_sd is None and set(arguments.seeds) - {1}:
        # A spread of zero would make every number of seeds look equal, and small studies look decisive.
        raise AdapterxferError(
            "power: --seeds without --seed-sd: how far training runs differ decides what more of them are worth",
            fix="give --seed-sd POINTS, from finished runs of a similar system (`adapterxfer power RECIPE` shows their "
            "share of the error), or leave --seeds out to plan over test items with the runs held fixed",
        )
    known = arguments.seed_sd is not None
    planned = plan_comparison(
        arguments.items,
        (arguments.seeds or DEFAULT_SEEDS) if known else [1],
        discordance=arguments.discordance,
        seed_sd=arguments.seed_sd or 0.0,
        effect=arguments.effect,
        tests=arguments.tests,
    )
    if arguments.json:
        say_json("power", {"rows": [asdict(row) for row in planned]})
    else:
        _say_plan(planned, arguments)
    return 0


def _say_study(rows: tuple[Spending, ...]) -> None:
    choices = tuple(dict.fromkeys(seeds for row in rows for seeds, _ in row.with_seeds))
    header = ["number", "estimate", "se", "items", "runs", "runs x items", "detectable", "2x items"]
    header += [f"{seeds} seeds" for seeds in choices] + ["spend next"]
    say("standard errors by source and minimum detectable effects (power 0.8, adjusted within families), in points")
    say_table(
        header,
        [
            [
                row.subject,
                f"{row.estimate:+.2f}",
                _number(row.standard_error),
                _number(row.items),
                _number(row.runs),
                _number(row.interaction),
                _number(row.detectable),
                _number(row.with_twice_items),
                *(_number(dict(row.with_seeds).get(seeds)) for seeds in choices),
                row.advice,
            ]
            for row in rows
        ],
        right=tuple(range(1, 8 + len(choices))),
    )


def _say_plan(rows: tuple[Planned, ...], arguments: argparse.Namespace) -> None:
    spread = "not given" if arguments.seed_sd is None else f"{arguments.seed_sd:g} points"
    say(
        f"difference of two systems on the same items, discordance {arguments.discordance:g}, seed sd {spread}, "
        f"{arguments.tests} tests; points"
    )
    header = ["items", "seeds", "se", "detectable"]
    header += [f"power at {arguments.effect:g}", "McNemar"] if arguments.effect else []
    say_table(
        header,
        [
            [
                f"{row.items:,}",
                "fixed" if arguments.seed_sd is None else row.seeds,
                _number(row.standard_error),
                "none" if row.detectable is None else _number(row.detectable),
                *([_number(row.power), _number(row.exact_power)] if arguments.effect else []),
            ]
            for row in rows
        ],
        right=tuple(range(len(header))),
    )
    say(
        "detectable: smallest true difference that the test of a report finds with probability 0.8; few seeds need "
        "more, as they hardly know how far runs differ"
    )
    if any(row.detectable is None for row in rows):
        say(
            f"none: no difference is found so often. With this discordance it is {100.0 * arguments.discordance:g} "
            "points at most; and there is no verdict with fewer than ten items, on retraining with one seed, or with "
            "two seeds in a family of several tests. More items or seeds are needed, or a larger --discordance"
        )
    if arguments.seed_sd is None:
        say(
            "the two training runs are held fixed: these numbers say nothing about retraining. Give --seed-sd POINTS, "
            "from finished runs of a similar system, for rows of 1, 3, 5 and 10 seeds."
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
