"""Write predictions of a finished study as a submission folder in XTREME's layout, and its gold labels beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_generation, add_json, add_recipe, add_store, read_plan, say_caution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    add_recipe(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument("--submission", required=True, metavar="DIR", help="folder for the predictions; made if absent")
    parser.add_argument("--labels", metavar="DIR", help="folder for the gold labels in the same layout, for `score`")
    parser.add_argument("--seed", type=int, default=None, help="which training run (default: the recipe's first)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files of one system and say what was left out."""
    from adapterxfer.report.exporting import export_submission
    from adapterxfer.store.store import Store

    plan = read_plan(arguments)
    say_caution(arguments, plan.recipe)
    exported = export_submission(
        plan,
        Store(arguments.store),
        Path(arguments.submission),
        labels=Path(arguments.labels) if arguments.labels else None,
        seed=arguments.seed,
    )
    if arguments.json:
        files = [str(path) for path in exported.predictions + exported.labels]
        say_json({"files": files, "left_out": list(exported.left_out)})
        return 0
    tasks = count(len(exported.tasks), "task")
    say(f"{count(len(exported.predictions), 'file')} of {tasks} in {arguments.submission}")
    if exported.labels:
        say(f"{count(len(exported.labels), 'file')} with gold labels in {arguments.labels}")
    if exported.left_out:
        say(f"left out, in no benchmark: {', '.join(exported.left_out)}")
    return 0
