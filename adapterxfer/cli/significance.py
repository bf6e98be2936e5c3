"""Verdicts on declared hypotheses, or on two systems, from a store or from scores of any tool."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.api.significance import read_averages, read_harness, read_store, read_table, with_question
from adapterxfer.cli.console import complain, say, say_json, say_table
from adapterxfer.cli.options import add_generation, add_json, add_set, pairs_of, positive
from adapterxfer.cli.report import checked, say_verdicts
from adapterxfer.errors import DataError
from adapterxfer.exchange.sources import KINDS, Kind, Source, kind_of, parse_source

if TYPE_CHECKING:
    from adapterxfer.exchange.averages import AverageTest
    from adapterxfer.report.declared import Judged
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings

ABOUT = """Scores are read from (the format is told by the files, or by --format):

  a table            CSV, TSV, JSON lines or Parquet, one row per example and run;
                     several tables: one per system, or one per target
  a store            with --recipe
  lm-eval            folders of lm_eval --log_samples, one per model, or one with several models
  mteb, EuroEval     averages: judged over languages, tasks, or the tool's own repetitions, which each interval names

Columns of a table (docs/exchange.md lists all; --column NAME=THEIRS where they are called otherwise):

  target, language, example   required
  score                       0 to 1; or prediction and gold; or the counts of a metric: correct, total / ...
  variant (or system), seed   what is compared, and its training run

Without --hypotheses every later system is compared with the first one. NAME=PATH names a system, NAME:SEED=PATH
one of its training runs. Exit codes: 0 ok; 1 with --check, if a declared expectation does not hold; 2 if the data or a
declaration are wrong.

  adapterxfer significance base=out/org__base tuned=out/org__tuned
  adapterxfer significance scores.csv --hypotheses claims.yaml --out report --check
  adapterxfer significance STORE --recipe quickstart --check"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `significance`."""
    parser.epilog, parser.formatter_class = ABOUT, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="files or folders: PATH, NAME=PATH, NAME:SEED=PATH"
    )
    parser.add_argument("--format", choices=KINDS, help="which tool wrote them (default: told by the files)")
    parser.add_argument("--recipe", help="recipe of the store")
    add_set(parser)
    add_generation(parser)
    parser.add_argument(
        "--hypotheses",
        type=Path,
        metavar="FILE",
        help="declared hypotheses (docs/hypotheses.md); for tables also a recipe that declares them",
    )
    parser.add_argument("--a", action="append", default=[], metavar="SYSTEM", help="the system that is judged")
    parser.add_argument("--b", metavar="SYSTEM", help="the system it is compared with (default: the first)")
    parser.add_argument(
        "--scope", choices=["items", "items+runs", "languages"],
        help="what the verdict generalises over (default: items+runs, items with one run per system)",
    )  # fmt: skip
    parser.add_argument(
        "--each", action="append", default=[], metavar="AXIS", help="one verdict per language, family ..."
    )
    parser.add_argument("--metric", default="", metavar="NAME", help="of lm-eval (acc or acc,none) or EuroEval")
    parser.add_argument("--column", action="append", default=[], metavar="NAME=THEIRS", help="a column of the tables")
    parser.add_argument("--language", action="append", default=[], metavar="TASK=CODE", help="of a task of lm-eval")
    parser.add_argument(
        "--cluster", default="", metavar="FIELD", help="documents of lm-eval with an equal one are a cluster"
    )
    parser.add_argument("--other-prompts", action="store_true", help="accept other prompts for the same documents")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the whole report there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a declared expectation does not hold")
    parser.add_argument("--resamples", type=positive, help="bootstrap resamples (default: 10000, or the recipe's)")
    parser.add_argument(
        "--margin", type=float, metavar="POINTS", help="test equivalence and non-inferiority against this margin"
    )
    parser.add_argument("--seed", type=int, help="seed of the resampling of a table (default: 0, or the recipe's)")
    parser.add_argument("--title", default="", help="headline of the report of a table")
    parser.add_argument(
        "--source-language", metavar="CODE",
        help="language of the training data, left out of means (default: en; with lm-eval none)",
    )  # fmt: skip
    parser.add_argument("--common-languages", action="store_true", help="keep only languages and tasks that all have")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Judge, write the report where asked to, and print the verdicts."""
    sources = [parse_source(text) for text in arguments.sources]
    kind = arguments.format or ("store" if arguments.recipe else kind_of(sources))
    if kind in ("mteb", "euroeval"):
        return _averages(arguments, sources, kind)
    from adapterxfer.report.content import plain
    from adapterxfer.report.findings import verdicts
    from adapterxfer.report.writing import write_report

    results, settings = _read(arguments, sources, kind)
    if settings.superseded:
        complain(f"caution: {settings.superseded}")
    settings = _asked(arguments, results, settings)
    if arguments.out is None:
        tests = verdicts(results, settings)
    else:
        tests = write_report(results, arguments.out, settings=settings).tests
    if arguments.json:
        say_json("significance", {"verdicts": [plain(test) for test in tests]})
        return checked(tests) if arguments.check else 0
    say_verdicts([test for test in tests if test.family != "asked"])
    for test in tests:
        if test.family == "asked":
            _say_asked(test)
    if not tests:
        say("no hypothesis is declared: give --hypotheses FILE, or --a SYSTEM --b SYSTEM, for verdicts")
    if arguments.out is not None:
        say(f"Report: {arguments.out / 'report.html'}")
    return checked(tests) if arguments.check else 0


def _read(arguments: argparse.Namespace, sources: Sequence[Source], kind: Kind) -> tuple[Results, ReportSettings]:
    common = {"hypotheses": arguments.hypotheses, "resamples": arguments.resamples, "margin": arguments.margin}
    if kind == "store":
        if len(sources) > 1:
            raise DataError("several stores", fix="give one store with --recipe")
        return read_store(
            sources[0].path,
            arguments.recipe,
            set_=tuple(arguments.set_),
            generation=arguments.generation,
            **common,
        )
    common |= {"seed": arguments.seed, "title": arguments.title, "common_languages": arguments.common_languages}
    if kind == "lm-eval":
        return read_harness(
            sources,
            metric=arguments.metric,
            languages=pairs_of("--language", arguments.language),
            cluster=arguments.cluster,
            other_prompts=arguments.other_prompts,
            source_language=arguments.source_language or "",
            **common,
        )
    return read_table(
        sources,
        columns=pairs_of("--column", arguments.column),
        source_language="en" if arguments.source_language is None else arguments.source_language,
        **common,
    )


def _asked(arguments: argparse.Namespace, results: Results, settings: ReportSettings) -> ReportSettings:
    """The comparison that the arguments ask for; of systems that no recipe or file asks about, all with the first."""
    systems = list(dict.fromkeys(cell.variant for cell in results.cells if not cell.is_control))
    named = bool(arguments.a or arguments.b)
    if not named and (settings.hypotheses or arguments.recipe or len(systems) < 2):
        return settings
    b = arguments.b or next(name for name in systems if name not in arguments.a)
    return with_question(
        results,
        settings,
        a=arguments.a or [name for name in systems if name != b],
        b=b,
        scope=arguments.scope or "",
        each=arguments.each,
        margin=arguments.margin,
    )


def _say_asked(test: Judged) -> None:
    from adapterxfer.report.words import estimate_text

    subject = f", {test.subject}" if test.subject else ""
    shown = "" if test.not_inferior is None else f"; not worse by {test.margin:g}: "
    shown += "" if test.not_inferior is None else "shown" if test.not_inferior else "not shown"
    say(f"{test.text}{subject}: {test.verdict} (scope {test.scope}){shown}")
    if estimate := estimate_text(test):
        say(f"  {estimate} over {test.resampled}")
    if test.remark:
        say(f"  {test.remark}")


def _averages(arguments: argparse.Namespace, sources: Sequence[Source], kind: Kind) -> int:
    """Verdicts on systems of which the tool kept averages alone."""
    from adapterxfer.exchange.averages import compare_averages

    for name in ("hypotheses", "out", "recipe", "scope", "each", "column", "language", "cluster", "resamples"):
        if getattr(arguments, name):
            raise DataError(
                f"--{name} needs scores of items, and {kind} keeps averages", fix=f"leave --{name} out, or give a table"
            )
    rows = read_averages(sources, kind, metric=arguments.metric)
    systems = list(dict.fromkeys(row.system for row in rows))
    if len(systems) < 2:
        raise DataError(f"one system alone: {', '.join(systems)}", fix="give two: a=FOLDER b=FOLDER")
    b = arguments.b or next((name for name in systems if name not in arguments.a), systems[0])
    tests: list[AverageTest] = []
    for a in arguments.a or [name for name in systems if name != b]:
        tests += compare_averages(rows, a, b, margin=arguments.margin, common_languages=arguments.common_languages)
    if arguments.json:
        from adapterxfer.report.content import plain

        say_json("significance", {"averages": [plain(test) for test in tests]})
        return 0
    say(
        f"{kind} keeps averages and no scores of items; each interval says what it goes over. Intervals, p-values and "
        "verdicts of the single tasks are adjusted over them (Holm); a mean is a test of its own."
    )
    header = ["systems", "of", "metric", "difference", "adjusted interval", "p adjusted", "over", "verdict", "remark"]
    say_table(header, [_row(test) for test in tests], right=(3, 5))
    return 0


def _row(test: AverageTest) -> list[str]:
    # A mean is a family of its own: nothing is adjusted.
    single = test.p_adjusted is None
    p, low, high = (test.p, test.low, test.high) if single else (test.p_adjusted, test.adjusted_low, test.adjusted_high)
    return [
        f"{test.a} minus {test.b}",
        test.subject,
        test.metric,
        f"{test.estimate:+.2f}",
        "-" if low is None else f"{low:+.2f} to {high:+.2f}",
        "-" if p is None else f"{p:.4f}",
        test.resampled,
        test.outcome if test.p is not None else "cannot be tested",
        test.remark,
    ]
