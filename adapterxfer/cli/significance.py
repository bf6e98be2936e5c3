"""Verdicts on declared hypotheses, from a store or from a table of per-example scores of any tool."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.api.significance import read_store, read_table
from adapterxfer.cli.console import complain, say, say_json
from adapterxfer.cli.options import add_generation, add_json, add_set, positive
from adapterxfer.cli.report import checked, say_verdicts

if TYPE_CHECKING:
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings

COLUMNS = """A table (CSV with a header, or Parquet) has one row per example and run. Columns:

  target, language, example   required
  score                       0 to 1; or the counts of a metric: correct, total / tp, predicted, gold_spans
  variant (or system)         what is compared
  backbone, parameters, non_embedding_parameters, adapter, intermediate (default: none), seed (default: 0)
  cluster                     what was sampled together (default: the example)
  text                        the sentence, premise or context: equal ones of a language are one cluster
  gold                        if given, it has to be the same for every system
  family, resource            of the language, if the catalogue does not know it or you disagree
  metric                      name of a metric of adapterxfer, instead of guessing from the columns

Hypotheses are declared as in docs/hypotheses.md. Exit codes: 0 ok; 1 with --check, if a declared expectation does not
hold; 2 if the data or a declaration are wrong.

  adapterxfer significance scores.csv --hypotheses claims.yaml --out report --check
  adapterxfer significance STORE --recipe quickstart --check"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `significance`."""
    parser.epilog, parser.formatter_class = COLUMNS, argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", type=Path, help="a table of scores (CSV or Parquet), or a store")
    parser.add_argument("--recipe", help="recipe of the store")
    add_set(parser)
    add_generation(parser)
    parser.add_argument("--hypotheses", type=Path, metavar="FILE", help="declared hypotheses (docs/hypotheses.md)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the whole report there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a declared expectation does not hold")
    parser.add_argument("--resamples", type=positive, help="bootstrap resamples (default: 10000, or the recipe's)")
    parser.add_argument(
        "--margin", type=float, metavar="POINTS", help="general answers say 'equivalent' within it (default: "
        "never, or the recipe's)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of the resampling of a table (default: 0)")
    parser.add_argument("--title", default="", help="headline of the report of a table")
    parser.add_argument("--source-language", default="en", metavar="CODE", help="language of the training data")
    parser.add_argument("--common-languages", action="store_true", help="keep only languages that every system has")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Judge, write the report where asked to, and print the verdicts."""
    from adapterxfer.report.content import plain
    from adapterxfer.report.findings import verdicts
    from adapterxfer.report.writing import write_report

    results, settings = _read(arguments)
    if settings.superseded:
        complain(f"caution: {settings.superseded}")
    if arguments.out is None:
        tests = verdicts(results, settings)
    else:
        tests = write_report(results, arguments.out, settings=settings).tests
    if arguments.json:
        say_json([plain(test) for test in tests])
        return checked(tests) if arguments.check else 0
    say_verdicts(tests)
    if not tests:
        say("no hypothesis is declared: give --hypotheses FILE for verdicts")
    if arguments.out is not None:
        say(f"Report: {arguments.out / 'report.html'}")
    return checked(tests) if arguments.check else 0


def _read(arguments: argparse.Namespace) -> tuple[Results, ReportSettings]:
    if arguments.source.is_dir():
        return read_store(
            arguments.source,
            arguments.recipe,
            set_=tuple(arguments.set_),
            hypotheses=arguments.hypotheses,
            resamples=arguments.resamples,
            margin=arguments.margin,
            generation=arguments.generation,
        )
    return read_table(
        arguments.source,
        hypotheses=arguments.hypotheses,
        resamples=arguments.resamples,
        margin=arguments.margin,
        seed=arguments.seed,
        title=arguments.title,
        source_language=arguments.source_language,
        common_languages=arguments.common_languages,
    )
