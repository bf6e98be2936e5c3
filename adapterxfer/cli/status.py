"""What of a recipe is done, running, failed or blocked, and where the report is."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

from adapterxfer.cli.console import count, say, say_json, say_table
from adapterxfer.cli.options import add_generation, add_json, add_recipe, add_store, positive, read_plan, say_caution
from adapterxfer.cli.plan import say_choices
from adapterxfer.cli.run import shown_path
from adapterxfer.engines.events import describe
from adapterxfer.plan import Plan
from adapterxfer.plan.choosing import choices_made
from adapterxfer.plan.superseded import superseded
from adapterxfer.store.kinds import CHOICE
from adapterxfer.store.overview import Overview, look
from adapterxfer.store.store import Store

LOG_LINES = 3
"""Last lines of a failed stage's log that are shown; `--json` has all that were kept."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `status`."""
    add_recipe(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument("--watch", action="store_true", help="show every change until nothing runs any more")
    parser.add_argument("--every", type=positive, default=2, metavar="SECONDS", help="time between two looks")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per stage kind, what runs now, and every failure. Reads the store and nothing else."""
    plan = read_plan(arguments)
    store = Store(arguments.store)
    earlier = superseded(plan, store.completed(), only=arguments.only)
    say_caution(arguments, plan.recipe)
    shown: Overview | None = None
    while True:
        overview = look(store, plan.stages)
        if overview != shown:
            report = _report(plan, overview, store, arguments.store)
            if arguments.json:
                more = {"superseded": earlier.as_json()} if earlier else {}
                say_json("status", {**_as_json(plan, overview, report), **more})
            else:
                if arguments.watch and sys.stdout.isatty():
                    say("\x1b[H\x1b[2J\x1b[3J")
                _print(plan, overview, report)
                if plan.recipe.chooses:
                    say_choices(choices_made(plan.stages.of_kind(CHOICE), store.completed()))
                if earlier is not None:
                    say(earlier.text(arguments.recipe))
            shown = overview
        if not arguments.watch or not overview.active:
            return 0
        time.sleep(arguments.every)


def _report(plan: Plan, overview: Overview, store: Store, store_argument: str) -> str | None:
    folder = store.folder(plan.report_key) if plan.report_key in overview.done else None
    return shown_path(folder / "report.html", store_argument) if folder is not None else None


def _print(plan: Plan, overview: Overview, report: str | None) -> None:
    say(f"{plan.recipe.name}: {len(overview.done):,} of {count(len(plan.stages), 'stage')} done")
    header = ["stage", "count", "done", "running", "failed", "blocked", "to do"]
    rows = [
        [kind, *(f"{numbers[column]:,}" for column in ("count", "done", "running", "failed", "blocked", "waiting"))]
        for kind, numbers in _by_kind(plan, overview).items()
    ]
    say_table(header, rows, right=range(1, len(header)))
    for key, line in overview.running.items():
        say(f"running: {describe(plan.stages[key])} ({plan.stages[key].short_key}){_progress(line)}")
    for key, failure in overview.failed.items():
        again = "not tried again" if failure.given_up else "tried again by the next run"
        blocks = f", blocks {count(overview.blocks(key), 'stage')}" if overview.blocks(key) else ""
        tried = count(failure.attempts, "attempt")
        say(f"failed: {describe(failure.stage)} ({failure.stage.short_key}): {failure.error}: {failure.what}")
        say(f"  {tried}, {again}{blocks}")
        for log_line in list(failure.log)[-LOG_LINES:]:
            say(f"  log: {log_line}")
        if failure.fix:
            say(f"  fix: {failure.fix}")
    if any(failure.given_up for failure in overview.failed.values()):
        say("stages that failed 3 times wait for `adapterxfer run ... --retry-failed`")
    if report:
        say(f"Report: {report}")


def _progress(line: Any) -> str:
    step, steps, loss = line.get("step"), line.get("steps"), line.get("loss")
    text = f": step {step}" if isinstance(step, int) else ""
    text += f" of {steps}" if text and isinstance(steps, int) else ""
    return f"{text}, loss {loss:.2f}" if text and isinstance(loss, int | float) else text


def _by_kind(plan: Plan, overview: Overview) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for row, keys in plan.stages.rows.items():
        numbers = counts.setdefault(row.kind, Counter())
        numbers["count"] += len(keys)
        for column in ("done", "running", "failed", "blocked", "waiting"):
            members = getattr(overview, column)
            numbers[column] += sum(key in members for key in keys)
    return counts


def _as_json(plan: Plan, overview: Overview, report: str | None) -> dict[str, Any]:
    failures = [
        {
            "key": key,
            "error": failure.error,
            "what": failure.what,
            "fix": failure.fix,
            "attempts": failure.attempts,
            "tried_again": not failure.given_up,
            "blocks": overview.blocks(key),
            "log": list(failure.log),
        }
        for key, failure in overview.failed.items()
    ]
    return {
        "recipe": plan.recipe.name,
        "kinds": [{"kind": kind, **numbers} for kind, numbers in _by_kind(plan, overview).items()],
        "running": {key: dict(line) for key, line in overview.running.items()},
        "failures": failures,
        "active": overview.active,
        "report": report,
    }
