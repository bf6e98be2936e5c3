"""Which intermediate task to train for each target, without training all of them.

Three predictors, each with what it costs: text embeddings of the tasks, LogME of the target's labels given the features
of each trained intermediate model, and the English dev score after a few steps of the target. Where the store has the
trained matrix, they are judged by it, beside "always NLI" and choosing at random. See docs/advise.md.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from adapterxfer.api.advising import advise
from adapterxfer.cli.console import complain, duration, say, say_json, say_table
from adapterxfer.cli.options import add_json, add_recipe, add_store, positive, read_recipe
from adapterxfer.recipe.axes import AXES

if TYPE_CHECKING:
    from adapterxfer.advice.model import Advice, Judgement, Row


SHOWN = tuple(axis for axis in AXES if axis not in ("variant", "seed"))
"""Axes that tell the rows of the answer apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `advise`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument(
        "--examples", type=positive, default=500, metavar="N", help="English examples of each task (default: 500)"
    )
    parser.add_argument("--layer", default="top", help="whose states are features: top (default), middle, or a number")
    parser.add_argument(
        "--pooling", choices=["mean", "first"], default="mean",
        help="features of a text: mean of its tokens (default), or its first token",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=int, default=20, metavar="N", help="steps of a short run (default: 20; 0: no short runs)"
    )
    parser.add_argument(
        "--seed", type=int, default=None, metavar="N", help="of the trainings looked at (default: the recipe's first)"
    )
    parser.add_argument("--device", default="cpu", help="where to compute: cpu (default), auto, cuda, cuda:1, ...")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print predictions with their ranks, and regrets where the trained matrix is there."""
    from adapterxfer.advice.model import Protocol

    recipe = read_recipe(arguments)
    protocol = Protocol(
        examples=arguments.examples,
        layer=arguments.layer,
        pooling=arguments.pooling,
        steps=arguments.steps,
        seed=recipe.seeds[0] if arguments.seed is None else arguments.seed,
    )
    # Progress goes to stderr, so that the answer can be piped.
    advice = advise(
        recipe, store=arguments.store, only=arguments.only, protocol=protocol, say=complain, device=arguments.device
    )
    if arguments.json:
        say_json(advice.as_json())
    else:
        _say_advice(advice)
    return 0


def _say_advice(advice: Advice) -> None:
    from adapterxfer.advice.model import PREDICTORS

    if advice.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    chosen = advice.protocol
    say(
        f"{chosen.examples} English examples at most, {chosen.layer} layer, texts by {chosen.pooling} token, "
        f"{chosen.steps} steps, seed {chosen.seed}; higher is better, (1) is the first choice"
    )
    header = [*SHOWN, *PREDICTORS]
    say_table(header, [_cells(row, advice.rows) for row in advice.rows], right=(4, 5, 6))
    for target, described in advice.features.items():
        say(f"features of {target}: {described}")
    for target, reason in advice.refused.items():
        say(f"no advice on {target}: {reason}")
    for predictor in PREDICTORS:
        for reason in dict.fromkeys(row.reasons[predictor] for row in advice.rows if predictor in row.reasons):
            if reason != "no texts of an intermediate task":
                say(f"no {predictor}: {reason}")
    say("time: " + ", ".join(f"{name} {duration(spent)}" for name, spent in advice.seconds.items()))
    _say_judged(advice)


def _cells(row: Row, rows: tuple[Row, ...]) -> list[str]:
    from adapterxfer.advice.model import PREDICTORS

    rivals = [r for r in rows if (r.backbone, r.target, r.adapter) == (row.backbone, row.target, row.adapter)]
    shown = []
    for predictor in PREDICTORS:
        value = row.predictions.get(predictor)
        if value is None:
            shown.append("-")
            continue
        text = f"{value:.1f}" if predictor == "few-steps" else f"{value:.4f}"
        if row.intermediate == "none":
            shown.append(f"{text}    ")
            continue
        others = [r.predictions[predictor] for r in rivals if r.intermediate != "none" and predictor in r.predictions]
        shown.append(f"{text} ({1 + sum(other > value for other in others)})")
    axes = {**row.values(), "adapter": row.adapter or "full-ft"}
    return [*(axes[axis] for axis in SHOWN), *shown]


def _say_judged(advice: Advice) -> None:
    if advice.judged:
        say()
        say("regret against the trained matrix: best score minus best among the first k, zero-shot languages, points")
        interval = f"{advice.judged[0].confidence:.0%} interval"
        header = ["variant", "predictor", "k", "candidates", "cells", "regret", interval, "percent", "resampled"]
        say_table(header, [_judged(entry) for entry in advice.judged], right=(2, 3, 4, 5, 7))
        if all(entry.k == 1 for entry in advice.judged):
            say("regret@3: no more than 3 candidates anywhere, so nothing could be lost with 3 tries")
    for line in advice.unjudged:
        say(f"not judged: {line}")


def _judged(entry: Judgement) -> list[str]:
    fewest, most = entry.candidates
    interval = "-" if entry.low is None or entry.high is None else f"{entry.low:.2f} to {entry.high:.2f}"
    return [
        entry.variant,
        entry.predictor,
        str(entry.k),
        str(fewest) if fewest == most else f"{fewest}-{most}",
        str(entry.cells),
        f"{entry.regret:.2f}",
        interval,
        f"{entry.percent:.1f}",
        entry.resampled,
    ]
