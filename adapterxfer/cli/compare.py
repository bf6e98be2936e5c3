"""Compare two transfer variants of a study: differences in points with intervals and p-values."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterxfer.api import compare
from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_generation, add_json, add_set, add_store, read_recipe, say_caution
from adapterxfer.errors import AdapterxferError
from adapterxfer.report.content import Effect
from adapterxfer.report.words import estimate_text

if TYPE_CHECKING:
    from adapterxfer.report.declared import Judged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `compare`."""
    parser.add_argument("recipe", help="recipe file, e.g. recipes/quickstart.yaml")
    add_set(parser)
    parser.add_argument("--a", required=True, metavar="VARIANT", help="the variant that is judged")
    parser.add_argument("--b", required=True, metavar="VARIANT", help="the variant it is compared with")
    parser.add_argument("--target", action="append", default=[], metavar="TASK", help="only this target task")
    parser.add_argument("--backbone", action="append", default=[], metavar="NAME", help="only this backbone")
    parser.add_argument(
        "--margin", type=float, metavar="POINTS", help="test equivalence and non-inferiority against this margin"
    )
    parser.add_argument("--of", choices=["score", "gain"], default="score", help="compare scores (default) or gains")
    parser.add_argument(
        "--scope", choices=["items", "items+runs", "languages"], default="items+runs",
        help="what the verdict generalises over (default: items+runs)",
    )  # fmt: skip
    parser.add_argument(
        "--each", action="append", default=[], metavar="AXIS",
        help="one verdict per value: backbone, intermediate, target, family, resource or language",
    )  # fmt: skip
    parser.add_argument(
        "--over", action="append", default=[], metavar="AXIS=VALUE",
        help="narrow the verdicts, e.g. --over resource=low --over intermediate=mnli,multi",
    )  # fmt: skip
    parser.add_argument("--ladder", action="store_true", help="show every verdict in four scopes of inference")
    add_store(parser)
    add_generation(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per comparison, means first."""
    recipe = read_recipe(arguments)
    say_caution(arguments, recipe)
    comparison = compare(
        recipe,
        arguments.a,
        arguments.b,
        store=arguments.store,
        targets=arguments.target,
        backbones=arguments.backbone,
        of=arguments.of,
        over=conditions(arguments.over),
        scope=arguments.scope,
        each=arguments.each,
        margin=arguments.margin,
        generation=arguments.generation,
    )
    tests, effects = comparison.verdicts, comparison.effects
    if arguments.json:
        from adapterxfer.report.content import plain

        say_json(
            "compare", {"verdicts": [plain(test) for test in tests], "effects": [plain(effect) for effect in effects]}
        )
        return 0
    if recipe.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    say(f"{arguments.a} minus {arguments.b}, {arguments.of}, scope {arguments.scope}")
    for test in tests:
        _say_test(test, ladder=arguments.ladder)
    say(f"{arguments.a} minus {arguments.b}, {arguments.of}s in points, {effects[0].group} languages")
    header = ["backbone", "intermediate", "target", "difference", "interval", "p", "p adjusted", "judged in", "verdict"]
    say_table(header, [_row(effect) for effect in effects], right=(3, 5, 6))
    return 0


def conditions(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``AXIS=VALUE,VALUE`` as axis -> values.

    Raises:
        AdapterxferError: an axis without a value.
    """
    over: dict[str, tuple[str, ...]] = {}
    for condition in texts:
        axis, equals, values = condition.partition("=")
        if not equals or not values:
            raise AdapterxferError(f"--over {condition!r}: expected AXIS=VALUE", fix="for example --over resource=low")
        over[axis] = tuple(values.split(","))
    return over


def _say_test(test: Judged, *, ladder: bool) -> None:
    margin = "" if test.not_inferior is None else f"; not worse by {test.margin:g}: "
    margin += "" if test.not_inferior is None else "shown" if test.not_inferior else "not shown"
    say(f"{test.subject or 'all'}: {test.verdict}{margin}")
    if shown := estimate_text(test):
        say(f"  {shown} over {test.resampled}")
    if test.remark:
        say(f"  {test.remark}")
    for rung in test.rungs if ladder else ():
        known = rung.estimate is not None and rung.low is not None and rung.high is not None
        text = f"{rung.low:+.2f} to {rung.high:+.2f}" if known else f"cannot be had: {rung.missing}"
        say(f"  {rung.scope:<11} {text}")


def _row(effect: Effect) -> list[str]:
    low, high = effect.ends
    return [
        effect.backbone or "mean",
        effect.intermediate or ("mean" if not effect.target else "none"),
        effect.target or "mean",
        f"{effect.estimate:+.1f}",
        f"{low:+.1f} to {high:+.1f}" if math.isfinite(low) and math.isfinite(high) else "-",
        _probability(effect.p),
        _probability(effect.p_adjusted),
        effect.judged_in or effect.hypotheses,
        effect.verdict_text,
    ]


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if value >= 0.0001 else "<0.0001"
