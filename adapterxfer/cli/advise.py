"""Which intermediate task to train for each target, without training all of them.

Three predictors, each with what it costs: text embeddings of the tasks, LogME of the target's labels given the features
of each trained intermediate model, and the English dev score after a few steps of the target. Where the store has the
trained matrix, they are judged by it, beside "always NLI" and choosing at random. See docs/advise.md.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from adapterxfer.api.advising import advise
from adapterxfer.catalog.variants import alone
from adapterxfer.cli.console import complain, duration, say, say_json, say_table
from adapterxfer.cli.options import add_json, add_recipe, add_store, positive, read_recipe
from adapterxfer.recipe.axes import AXES
from adapterxfer.recipe.fields import NONE

if TYPE_CHECKING:
    from adapterxfer.advice.records import Advice, CandidateScores, PredictorJudgement


TOP = 3
"""Places that are listed of each predictor."""

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
    parser.add_argument(
        "--all", action="store_true", help=f"list all candidates, not only the first {TOP} of a predictor"
    )
    parser.add_argument("--device", default="cpu", help="where to compute: cpu (default), auto, cuda, cuda:1, ...")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print predictions with their ranks, and regrets where the trained matrix is there."""
    from adapterxfer.advice.records import AdviceSettings

    recipe = read_recipe(arguments)
    protocol = AdviceSettings(
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
        say_json("advise", advice.as_json())
    else:
        _say_advice(advice, every=arguments.all)
    return 0


def _say_advice(advice: Advice, *, every: bool) -> None:
    from adapterxfer.advice.records import PREDICTORS

    if advice.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    chosen = advice.protocol
    say(
        f"{chosen.examples} English examples at most, {chosen.layer} layer, texts by {chosen.pooling} token, "
        f"{chosen.steps} steps, seed {chosen.seed}; higher is better, (1) is the first choice"
    )
    listed = [
        row for row in advice.rows if every or row.intermediate == NONE or min(row.ranks.values(), default=0) <= TOP
    ]
    say_table([*SHOWN, *PREDICTORS], [_cells(row) for row in listed], right=tuple(range(4, 4 + len(PREDICTORS))))
    if len(listed) < len(advice.rows):
        say(f"{len(advice.rows) - len(listed)} more are among the first {TOP} of no predictor: --all")
    for target, described in advice.features.items():
        say(f"features of {target}: {described}")
    for target, reason in advice.refused.items():
        say(f"no advice on {target}: {reason}")
    for predictor in PREDICTORS:
        _say_reasons(predictor, advice.rows)
    say("time: " + ", ".join(f"{name} {duration(spent)}" for name, spent in advice.seconds.items()))
    _say_judged(advice)


def _cells(row: CandidateScores) -> list[str]:
    from adapterxfer.advice.records import PREDICTORS

    shown = []
    for predictor in PREDICTORS:
        value = row.predictions.get(predictor)
        text = "-" if value is None else f"{value:.1f}" if predictor == "few-steps" else f"{value:.4f}"
        shown.append(f"{text} ({row.ranks[predictor]})" if predictor in row.ranks else f"{text}    ")
    axes = {**row.values(), "adapter": row.adapter or alone(adapter=False).name}
    return [*(axes[axis] for axis in SHOWN), *shown]


def _say_reasons(predictor: str, rows: tuple[CandidateScores, ...]) -> None:
    """Why a predictor has no value, with the intermediate tasks this is true of."""
    from adapterxfer.advice.records import NO_TEXTS

    without: dict[str, dict[str, None]] = {}
    for row in rows:
        if (reason := row.reasons.get(predictor, NO_TEXTS)) != NO_TEXTS:
            without.setdefault(reason, {})[row.intermediate] = None
    for reason, names in without.items():
        more = f" and {len(names) - TOP} more" if len(names) > TOP else ""
        say(f"no {predictor} with {', '.join([*names][:TOP])}{more}: {reason}")


def _say_judged(advice: Advice) -> None:
    if advice.judged:
        say()
        say("regret against the trained matrix: best score minus best among the first k, zero-shot languages, points")
        interval = f"{advice.judged[0].confidence:.0%} interval"
        header = ["variant", "predictor", "k", "candidates", "cells", "regret", interval, "percent", "resampled"]
        say_table(header, [_judged(judgement) for judgement in advice.judged], right=(2, 3, 4, 5, 7))
        if all(judgement.k == 1 for judgement in advice.judged):
            say("regret@3: no more than 3 candidates anywhere, so nothing could be lost with 3 tries")
    for line in advice.unjudged:
        say(f"not judged: {line}")


def _judged(judgement: PredictorJudgement) -> list[str]:
    fewest, most = judgement.candidates
    interval = (
        "-" if judgement.low is None or judgement.high is None else f"{judgement.low:.2f} to {judgement.high:.2f}"
    )
    return [
        judgement.variant,
        judgement.predictor,
        str(judgement.k),
        str(fewest) if fewest == most else f"{fewest}-{most}",
        str(judgement.cells),
        f"{judgement.regret:.2f}",
        interval,
        f"{judgement.percent:.1f}",
        judgement.resampled,
    ]
