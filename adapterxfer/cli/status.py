"""What of a recipe is done, what failed, and where the report is."""

from __future__ import annotations

import argparse
from collections import Counter

from adapterxfer.cli.console import count, say, say_json, say_table
from adapterxfer.cli.options import add_json, add_recipe, add_store, read_plan
from adapterxfer.cli.progress import describe
from adapterxfer.cli.run import shown_path
from adapterxfer.store.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `status`."""
    add_recipe(parser)
    add_store(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per stage kind, then every failure with its fix."""
    plan = read_plan(arguments)
    store = Store(arguments.store)
    completed = store.completed()
    failures = store.failures.read()
    total, done, failed = Counter[str](), Counter[str](), Counter[str]()
    broken = []
    for stage in plan.stages.values():
        total[stage.kind] += 1
        if stage.short_key in completed:
            done[stage.kind] += 1
        elif stage.short_key in failures:
            failed[stage.kind] += 1
            broken.append(failures[stage.short_key])
    last = plan.report
    folder = completed.get(last.short_key) if last is not None else None
    report = shown_path(folder / "report.html", arguments.store) if folder is not None else None
    if arguments.json:
        kinds = [
            {"kind": kind, "count": number, "done": done[kind], "failed": failed[kind]}
            for kind, number in total.items()
        ]
        what = [
            {"key": entry.stage.key, "error": entry.error, "what": entry.what, "fix": entry.fix} for entry in broken
        ]
        say_json({"recipe": plan.recipe.name, "kinds": kinds, "failures": what, "report": report})
        return 0
    say(f"{plan.recipe.name}: {sum(done.values()):,} of {count(len(plan.stages), 'stage')} done")
    rows = [
        [kind, f"{number:,}", f"{done[kind]:,}", f"{failed[kind]:,}", f"{number - done[kind] - failed[kind]:,}"]
        for kind, number in total.items()
    ]
    say_table(["stage", "count", "done", "failed", "to do"], rows, right=(1, 2, 3, 4))
    for entry in broken:
        say(f"failed: {describe(entry.stage)} ({entry.stage.short_key}): {entry.error}: {entry.what}")
        if entry.fix:
            say(f"  fix: {entry.fix}")
    if report:
        say(f"Report: {report}")
    return 0
