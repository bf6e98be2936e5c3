"""Write the report of a recipe from what is finished, complete or not; trains nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.api import report, verdicts
from adapterxfer.cli.console import complain, count, say, say_json
from adapterxfer.cli.options import (
    add_generation,
    add_json,
    add_recipe,
    add_store,
    positive,
    read_recipe,
    say_caution,
    say_superseded,
)

if TYPE_CHECKING:
    from adapterxfer.report.content import Findings
    from adapterxfer.report.declared import Judged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `report`."""
    add_recipe(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument("--out", metavar="DIR", help="folder to write (default: report-NAME)")
    parser.add_argument("--resamples", type=positive, help="bootstrap resamples, if not those of the recipe")
    parser.add_argument("--verdicts", action="store_true", help="only the declared hypotheses; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a declared expectation does not hold")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files and print the answers."""
    recipe = read_recipe(arguments)
    settings = {"resamples": arguments.resamples} if arguments.resamples else {}
    if arguments.verdicts:
        say_caution(arguments, recipe)
        tests = verdicts(
            recipe, store=arguments.store, only=arguments.only, settings=settings, generation=arguments.generation
        )
        if arguments.json:
            from adapterxfer.report.content import plain

            say_json("report", {"verdicts": [plain(test) for test in tests]})
        else:
            say_verdicts(tests)
        return checked(tests) if arguments.check else 0
    folder = Path(arguments.out or f"report-{recipe.name}")
    findings = report(
        recipe, folder, store=arguments.store, only=arguments.only, settings=settings, generation=arguments.generation
    )
    if arguments.json:
        say_json("report", findings.as_json())
        return checked(findings.tests) if arguments.check else 0
    if findings.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    say(f"{findings.finished:,} of {count(findings.planned, 'cell')} finished")
    say_caution(arguments, recipe)
    if findings.missing:
        say_superseded(arguments)
    say_verdicts(findings.tests)
    say_headline(findings)
    say(f"Report: {folder / 'report.html'}")
    return checked(findings.tests) if arguments.check else 0


def say_headline(findings: Findings) -> None:
    """The sentence and the table of the page's first screen, every number with its variant and its column."""
    from adapterxfer.report.headline import headline
    from adapterxfer.report.page import number_cell

    first = headline(findings)
    say(first.sentence)
    for row in first.rows:
        say(f"{row.variant}: gain from intermediate training" + (f" {row.verdict}" if row.verdict else ""))
        for column, effect in zip(first.columns, row.cells, strict=True):
            if shown := number_cell(effect):
                remark = f"; {shown['remark']}" if shown["remark"] and shown["outcome"] == "inconclusive" else ""
                p = f", {shown['p']}" if shown["p"] else ""
                say(f"  {column}: {shown['estimate']} ({shown['interval']}){p}, {shown['verdict']}{remark}")


def say_verdicts(tests: Sequence[Judged]) -> None:
    """One line per declared test, with what was expected."""
    from adapterxfer.report.words import estimate_text, held_words

    for test in tests:
        # Between two declared looks, or before the first, an expectation neither holds nor fails.
        held = f"; expected {test.expected}: {held_words(test) or 'not judged yet'}" if test.expected else ""
        shown = "" if test.not_inferior is None else f"; not worse by {test.margin:g}: "
        shown += "" if test.not_inferior is None else "shown" if test.not_inferior else "not shown"
        say(f"{test.name}: {test.verdict} (scope {test.scope}){shown}{held}")
        if (estimate := estimate_text(test)) and test.outcome != "difference found":
            say(f"  {estimate}")
        if test.reference is not None:
            say(f"  reference {test.reference:+g} ({test.reference_label})")
        if test.scale_dependent:
            say("  scale dependent: points, logits and relative errors do not agree")
        if test.remark:
            say(f"  {test.remark}")


def checked(tests: Sequence[Judged]) -> int:
    """Exit code of ``--check``: 1 if a declared expectation does not hold, else 0."""
    failed = [test for test in tests if test.held == "does not hold"]
    for test in failed:
        complain(f"{test.name}: expected {test.expected}, but: {test.verdict}")
    return 1 if failed else 0
