"""Significance report for pipelines: a store of adapterxfer, or per-example scores of any tool.

    python scripts/significance_report.py scores.csv --hypotheses claims.yaml --out report --check
    python scripts/significance_report.py STORE --recipe recipes/quickstart.yaml --check

A table (CSV with a header, or Parquet) has one row per example and run. Columns:

    target, language, example          required
    score                              0 to 1; or the counts of a metric: correct, total / tp, predicted, gold_spans
    variant (or system)                what is compared
    backbone, parameters, non_embedding_parameters, adapter, intermediate (default: none), seed (default: 0)
    cluster                            what was sampled together (default: the example)
    gold                               if given, it has to be the same for every system
    family, resource                   of the language, if the catalogue does not know it or you disagree
    metric                             name of a metric of adapterxfer, instead of guessing from the columns

Hypotheses are declared as in docs/hypotheses.md. Exit codes: 0 ok; 1 with --check, if a declared expectation does not
hold; 2 if the data or a declaration are wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adapterxfer.cli.report import checked, say_verdicts
from adapterxfer.errors import AdapterxferError, DataError
from adapterxfer.plan.generations import NEWEST, caution_text
from adapterxfer.plan.superseded import nothing_finished, plan_at
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.recipe.including import read_hypothesis_file
from adapterxfer.report.findings import verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import read_scores
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.writing import write_report
from adapterxfer.store.store import Store

BAD_DATA = 2


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        return _report(arguments)
    except AdapterxferError as error:
        print(error, file=sys.stderr)
        return BAD_DATA


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a table of scores (CSV or Parquet), or a store")
    parser.add_argument("--recipe", help="recipe of the store")
    parser.add_argument(
        "--set", action="append", default=[], dest="set_", metavar="KEY=VALUE", help="change the recipe"
    )
    parser.add_argument(
        "--generation", type=int, default=NEWEST, metavar="N", help="read a store as an earlier version computed it"
    )
    parser.add_argument("--hypotheses", type=Path, metavar="FILE", help="declared hypotheses (docs/hypotheses.md)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the whole report there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a declared expectation does not hold")
    parser.add_argument("--resamples", type=int, help="bootstrap resamples (default: 10000, or the recipe's)")
    parser.add_argument(
        "--margin", type=float, metavar="POINTS", help="general answers say 'equivalent' within it (default: "
        "never, or the recipe's)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of the resampling (default: 0)")
    parser.add_argument("--title", default="", help="headline of the report")
    parser.add_argument("--source-language", default="en", metavar="CODE", help="language of the training data")
    parser.add_argument("--common-languages", action="store_true", help="keep only languages that every system has")
    return parser.parse_args(argv)


def _report(arguments: argparse.Namespace) -> int:
    results, settings = _from_store(arguments) if arguments.source.is_dir() else _from_table(arguments)
    if arguments.out is None:
        tests = verdicts(results, settings)
    else:
        tests = write_report(results, arguments.out, settings=settings).tests
    say_verdicts(tests)
    if not tests:
        print("no hypothesis is declared: give --hypotheses FILE for verdicts")
    if arguments.out is not None:
        print(f"Report: {arguments.out / 'report.html'}")
    return checked(tests) if arguments.check else 0


def _from_store(arguments: argparse.Namespace) -> tuple[Results, ReportSettings]:
    if arguments.recipe is None:
        raise DataError(f"{arguments.source}: a store needs --recipe", fix="name the recipe that was run")
    changes = [*arguments.set_, *([f"statistics.include={arguments.hypotheses}"] if arguments.hypotheses else [])]
    changes += [f"statistics.resamples={arguments.resamples}"] if arguments.resamples else []
    changes += [f"statistics.margin={arguments.margin}"] if arguments.margin is not None else []
    recipe = resolve_recipe(load_recipe(arguments.recipe, changes), arguments.source)
    plan, later = plan_at(recipe, generation=arguments.generation)
    results = Results.from_plan(plan, Store(arguments.source))
    if plan.report is None or not results.cells:
        raise nothing_finished(plan, Store(arguments.source))
    settings = ReportSettings.from_identity(plan.report.identity)
    caution = caution_text(arguments.generation, later) if later else ""
    if caution:
        print(f"caution: {caution}", file=sys.stderr)
    return results, replace(settings, superseded=caution)


def _from_table(arguments: argparse.Namespace) -> tuple[Results, ReportSettings]:
    results = read_scores(
        arguments.source, source_language=arguments.source_language, common_languages=arguments.common_languages
    )
    declared = read_hypothesis_file(arguments.hypotheses) if arguments.hypotheses else None
    settings = ReportSettings(
        title=arguments.title or arguments.source.stem,
        recipe=arguments.source.stem,
        resamples=arguments.resamples or 10_000,
        seed=arguments.seed,
        margin=_margin(arguments.margin),
        hypotheses=declared.hypotheses if declared else (),
        multiplicity=dict(declared.multiplicity) if declared else {},
    )
    return results, settings


def _margin(value: float | None) -> float | None:
    if value is not None and not 0.0 < value <= 100.0:
        raise DataError(f"margin {value}", fix="give points above 0 and up to 100")
    return value


if __name__ == "__main__":
    sys.exit(main())
