"""Compare two transfer variants of a study: differences in points with intervals and p-values."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from adapterxfer.api import compare
from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_json, add_store, read_recipe
from adapterxfer.report.model import Effect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `compare`."""
    parser.add_argument("recipe", help="recipe file, e.g. recipes/quickstart.yaml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="set_", help="change the recipe"
    )
    parser.add_argument("--a", required=True, metavar="VARIANT", help="the variant that is judged")
    parser.add_argument("--b", required=True, metavar="VARIANT", help="the variant it is compared with")
    parser.add_argument("--target", action="append", default=[], metavar="TASK", help="only this target task")
    parser.add_argument("--backbone", action="append", default=[], metavar="NAME", help="only this backbone")
    add_store(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per comparison, means first."""
    recipe = read_recipe(arguments)
    effects = compare(
        recipe, arguments.a, arguments.b, store=arguments.store, targets=arguments.target, backbones=arguments.backbone
    )
    effects.sort(key=lambda effect: (bool(effect.target), bool(effect.backbone)))
    if arguments.json:
        say_json([asdict(effect) for effect in effects])
        return 0
    if recipe.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    say(f"{arguments.a} minus {arguments.b}, points, {effects[0].group} languages")
    header = ["backbone", "intermediate", "target", "difference", "interval", "p", "p (Holm)", "verdict"]
    say_table(header, [_row(effect) for effect in effects], right=(3, 5, 6))
    return 0


def _row(effect: Effect) -> list[str]:
    return [
        effect.backbone or "mean",
        effect.intermediate or ("mean" if not effect.target else "none"),
        effect.target or "mean",
        f"{effect.estimate:+.1f}",
        f"{effect.low:+.1f} to {effect.high:+.1f}",
        _probability(effect.p),
        _probability(effect.p_adjusted),
        effect.verdict,
    ]


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if value >= 0.0001 else "<0.0001"
