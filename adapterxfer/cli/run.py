"""Run everything a recipe needs that is not in the store yet."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.api import ENGINES, RunResult, default_jobs, run
from adapterxfer.api.tracking import SHOWN, TRACKERS, Tracking
from adapterxfer.cli.console import complain, count, duration, say, say_json
from adapterxfer.cli.options import add_json, add_recipe, add_store, hub_notes, positive
from adapterxfer.cli.progress import BarProgress, PlainProgress, make_progress
from adapterxfer.engines.events import StageEvent
from adapterxfer.errors import AdapterxferError
from adapterxfer.plan import Plan
from adapterxfer.plan.superseded import superseded
from adapterxfer.recipe import Recipe, load_recipe
from adapterxfer.recipe.decidable import undecidable
from adapterxfer.store.store import Store

if TYPE_CHECKING:
    from adapterxfer.api.deciding import Decision, Purchase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `run`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument("--jobs", type=positive, default=None, help="worker processes (default: number of cores)")
    parser.add_argument(
        "--retry-failed", action="store_true", help="also try stages again that failed 3 times in earlier runs"
    )
    parser.add_argument("--engine", choices=ENGINES, default="inline", help="what runs the stages (default: inline)")
    parser.add_argument(
        "--engine-set", action="append", default=[], metavar="KEY=VALUE",
        help="setting of the engine, e.g. address=auto (ray), partition=gpu or timeout_min=240 (slurm)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="cpu",
        help="where to train and predict: cpu (default), auto (a GPU if there is one; not on clusters), cuda, "
        "cuda:1, ...",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint-every", type=float, default=None, metavar="SECONDS",
        help="how often a training saves where it is, to go on from there after a kill (default: 60; 0 for never)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-tokens", type=positive, default=None, metavar="N",
        help="tokens of one forward pass in training, padding included (default: 16384); less needs less memory, and "
        "the effective batch stays",
    )  # fmt: skip
    parser.add_argument(
        "--track", choices=tuple(TRACKERS), help="also write the log of each training for a tracker, on this machine"
    )
    parser.add_argument(
        "--track-to", default="track", metavar="DIR", help="folder of what a tracker gets (default: track)"
    )
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--until-decided", action="store_true",
        help="train the seeds of one declared look (statistics.looks) after the other, each only for what is undecided",
    )  # fmt: skip
    more.add_argument(
        "--budget", type=hours, metavar="HOURS",
        help="train as many more seeds of the undecided hypotheses as these hours of one process allow, those first "
        "that are expected to narrow them most for their time",
    )  # fmt: skip
    add_json(parser)


def hours(text: str) -> float:
    """A number of hours above 0.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of hours above 0")
    return value


def execute(arguments: argparse.Namespace) -> int:
    """Run, show progress, and say where the report is."""
    recipe = load_recipe(arguments.recipe, arguments.set_)
    store = Store(arguments.store)
    jobs = arguments.jobs or default_jobs()
    tracking = Tracking(arguments.track, arguments.track_to, store, recipe.name) if arguments.track else None
    if recipe.needs_measurement and not arguments.json:
        say("measuring how fast this machine pretrains, unless the store knows it ...")
    with ExitStack() as stack:
        display: list[PlainProgress | BarProgress] = []

        def prepared(plan: Plan) -> None:
            completed = store.completed()
            done = sum(stage.short_key in completed for stage in plan.stages.values())
            if not arguments.json:
                _say_start(plan, done, arguments.store)
                if (earlier := superseded(plan, completed, only=arguments.only)) is not None:
                    say(earlier.text(arguments.recipe))
                if done < len(plan.stages):
                    shown = make_progress(plan.stages, completed)
                    stack.enter_context(shown)
                    display.append(shown)

        def listener(event: StageEvent) -> None:
            for shown in display:
                shown(event)
            if tracking is not None:
                tracking(event)

        options: dict[str, Any] = {
            "store": store.root,
            "only": arguments.only,
            "jobs": jobs,
            "listener": listener,
            "settings": {
                "device": arguments.device,
                "checkpoint_seconds": arguments.checkpoint_every,
                "train_batch_tokens": arguments.batch_tokens,
            },
            "prepared": prepared,
            "retry_failed": arguments.retry_failed,
            "engine": arguments.engine,
            "engine_settings": _engine_settings(arguments.engine_set),
        }
        result, more = _run(recipe, arguments, options)
        if tracking is not None:
            tracking.finish(result.plan.stages.values())
    if arguments.json:
        say_json("run", {**as_json(result, arguments.store), **more})
    else:
        _say_end(result, arguments.store)
        _say_tracked(tracking, arguments.track_to)
    return result.outcome.exit_code


def _run(recipe: Recipe, arguments: argparse.Namespace, options: dict[str, Any]) -> tuple[RunResult, dict[str, object]]:
    """The run that was asked for, and what it decided or bought on the way as JSON values."""
    quiet = arguments.json
    if arguments.until_decided:
        from adapterxfer.api.deciding import run_until_decided

        result, decisions = run_until_decided(recipe, told=_silent if quiet else _say_decision, **options)
        return result, {
            "looks": [{"seeds": row.seeds, "undecided": list(row.undecided), "next": row.systems} for row in decisions]
        }
    if arguments.budget is not None:
        from adapterxfer.api.deciding import run_budget

        told = _silent if quiet else _say_bought
        result, bought = run_budget(recipe, arguments.budget, told=told, **options)
        return result, {"bought": [{**asdict(row), "hours": round(row.hours, 4)} for row in bought]}
    return run(recipe, **options), {}


def _silent(_: object) -> None:
    """Listener for ``--json``: prints nothing while the run goes on."""


def _say_decision(decision: Decision) -> None:
    """What a look came to, one line for each declared test."""
    say(f"look at {decision.seeds} seeds:")
    for test in decision.tests:
        state = "undecided" if test.name in decision.undecided else test.verdict
        say(f"  {test.name}: {state}")
    if decision.systems:
        say(f"training the next look's seeds of {count(decision.systems, 'system')}")
    elif decision.undecided:
        say("this was the last look")
    else:
        say("everything declared is decided")


def _say_bought(bought: Sequence[Purchase]) -> None:
    """What the budget buys, before it is trained."""
    for row in bought:
        say(f"seed {row.seed} of {row.backbone}: about {row.hours:.2f} h, narrows tests by {row.narrowing:.0%}")
    if not bought:
        say("nothing undecided fits into the budget")


def _engine_settings(entries: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` entries as a mapping; the engine checks the keys."""
    settings = {}
    for assignment in entries:
        key, equals, value = assignment.partition("=")
        if not key or not equals:
            raise AdapterxferError(f"--engine-set {assignment!r}: expected KEY=VALUE", fix="for example address=auto")
        settings[key] = value
    return settings


def _say_start(plan: Plan, done: int, store: str) -> None:
    say(f"run {plan.recipe.name}: {count(len(plan.stages), 'stage')}, {done:,} done, store {store}")
    for caution in plan.cautions:
        say(f"warning: {caution}")
    if plan.recipe.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    for note in hub_notes(plan):
        say(note)
    for warning in undecidable(plan.recipe) if done < len(plan.stages) else ():
        complain(f"warning: {warning}")
    setup = plan.recipe.pretrain
    if setup is not None and isinstance(setup.tokens, dict):
        tokens = ", ".join(f"{size} {number:,}" for size, number in setup.tokens.items())
        say(f"pretraining tokens: {tokens} ({setup.dtype})")


def _say_end(result: RunResult, store: str) -> None:
    outcome, total = result.outcome, len(result.plan.stages)
    for failure in outcome.failed.values():
        complain(f"failed: {failure}")
    if outcome.interrupted:
        complain("stopped: finished stages and saved trainings are kept; run the same command again to continue")
        return
    if not outcome.finished and not outcome.failed:
        say(f"done: {count(total, 'stage')} already in the store")
    else:
        blocked = f", {len(outcome.blocked):,} blocked by them" if outcome.blocked else ""
        failed = f"{len(outcome.failed):,} failed{blocked}"
        say(f"done: {count(total, 'stage')}, {failed}, {duration(outcome.seconds)}")
    if result.report is not None:
        say(f"Report: {shown_path(result.report / 'report.html', store)}")


def _say_tracked(tracking: Tracking | None, folder: str) -> None:
    """What a tracker got, and the command that shows it."""
    if tracking is None:
        return
    for problem in tracking.problems:
        complain(f"warning: tracking ended early: {problem}")
    command = SHOWN[tracking.tracker].format(folder=f"{folder}/{tracking.tracker}")
    say(f"Track: {count(tracking.runs, 'new run')} for {tracking.tracker}; {command}")


def shown_path(path: Path, store: str) -> str:
    """The path as the user wrote the store: relative where the store was given so."""
    try:
        return str(Path(store) / path.relative_to(Path(store).absolute()))
    except ValueError:
        return str(path)


def as_json(result: RunResult, store: str) -> dict[str, object]:
    """How the run ended, for programs."""
    outcome = result.outcome
    return {
        "recipe": result.plan.recipe.name,
        "stages": len(result.plan.stages),
        "finished": len(outcome.finished),
        "reused": len(outcome.reused),
        "failed": {key: str(failure) for key, failure in outcome.failed.items()},
        "blocked": len(outcome.blocked),
        "interrupted": outcome.interrupted,
        "seconds": round(outcome.seconds, 2),
        "report": shown_path(result.report, store) if result.report is not None else None,
    }
