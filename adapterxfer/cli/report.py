"""Write the report of a recipe from what is finished, complete or not; trains nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from adapterxfer.api import report
from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_json, add_recipe, add_store, positive, read_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `report`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument("--out", metavar="DIR", help="folder to write (default: report-NAME)")
    parser.add_argument("--resamples", type=positive, help="bootstrap resamples, if not those of the recipe")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files and print the answers."""
    recipe = read_recipe(arguments)
    folder = Path(arguments.out or f"report-{recipe.name}")
    settings = {"resamples": arguments.resamples} if arguments.resamples else {}
    findings = report(recipe, folder, store=arguments.store, only=arguments.only, settings=settings)
    if arguments.json:
        say_json(findings.as_json())
        return 0
    if findings.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    say(f"{findings.finished:,} of {count(findings.planned, 'cell')} finished")
    for answer in findings.answers:
        say(answer.question)
        for statement in answer.statements:
            say(f"  {statement.text}")
    say(f"Report: {folder / 'report.html'}")
    return 0
