"""Write a finished study for others: the counts of its test items, XTREME's submission folder, or Every Eval Ever."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import adapterxfer
from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_generation, add_json, add_recipe, add_store, read_plan, say_caution
from adapterxfer.errors import AdapterxferError

FORMATS = ("items", "every-eval-ever")
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
"""Words of the Every Eval Ever schema."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    add_recipe(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument("--submission", metavar="DIR", help="folder for predictions in XTREME's layout; made if absent")
    parser.add_argument("--labels", metavar="DIR", help="folder for the gold labels in the same layout, for `score`")
    parser.add_argument("--seed", type=int, default=None, help="which training run (default: the recipe's first)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="items: the counts of every test item, as tables for `significance`; every-eval-ever: every score",
    )
    parser.add_argument("--out", metavar="DIR", help="folder for --format; made if absent")
    parser.add_argument("--organization", metavar="NAME", help="every-eval-ever: whose results these are")
    parser.add_argument(
        "--relationship", choices=RELATIONSHIPS, default="first_party",
        help="every-eval-ever: of the evaluator to whoever trained the models (default: first_party)",
    )  # fmt: skip
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files and say what was left out."""
    if (arguments.submission is None) == (arguments.format is None):
        raise AdapterxferError("nothing to write", fix="give --submission DIR, or --format items --out DIR")
    if arguments.format is not None:
        _need(arguments, "out")
        return _items(arguments) if arguments.format == "items" else _every_eval_ever(arguments)
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
        say_json("export", {"files": files, "left_out": list(exported.left_out)})
        return 0
    tasks = count(len(exported.tasks), "task")
    say(f"{count(len(exported.predictions), 'file')} of {tasks} in {arguments.submission}")
    if exported.labels:
        say(f"{count(len(exported.labels), 'file')} with gold labels in {arguments.labels}")
    if exported.left_out:
        say(f"left out, in no benchmark: {', '.join(exported.left_out)}")
    return 0


def _need(arguments: argparse.Namespace, name: str) -> None:
    if not getattr(arguments, name):
        raise AdapterxferError(f"--format {arguments.format} needs --{name}", fix=f"add --{name}")


def _items(arguments: argparse.Namespace) -> int:
    from adapterxfer.exchange.item_tables import write_item_tables
    from adapterxfer.report.results import Results

    plan = read_plan(arguments)
    say_caution(arguments, plan.recipe)
    results = Results.from_plan(plan, arguments.store)
    about = {"study": plan.recipe.name, "adapterxfer": adapterxfer.__version__}
    if plan.recipe.synthetic:
        about["synthetic"] = "yes: invented languages, no evidence about natural ones"
    files = write_item_tables(results, Path(arguments.out), about=about)
    if arguments.json:
        say_json("export", {"files": list(map(str, files)), "left_out": []})
        return 0
    systems = f"{len(results.cells):,} training runs and controls"
    say(f"{count(len(files), 'table')}, one per target, with the counts of {systems}: {arguments.out}")
    if results.missing:
        say(f"without {count(len(results.missing), 'cell')} of the recipe that have no predictions yet")
    say(f"judge them with: adapterxfer significance {files[0]}")
    return 0


def _every_eval_ever(arguments: argparse.Namespace) -> int:
    from adapterxfer.exchange.every_eval_ever import Publisher, write_every_eval_ever
    from adapterxfer.report.results import Results

    _need(arguments, "organization")
    plan = read_plan(arguments)
    say_caution(arguments, plan.recipe)
    files = write_every_eval_ever(
        Results.from_plan(plan, arguments.store),
        Path(arguments.out),
        study=plan.recipe.name,
        synthetic=plan.recipe.synthetic,
        publisher=Publisher(
            organization=arguments.organization,
            relationship=arguments.relationship,
            version=adapterxfer.__version__,
            written_at=int(time.time()),
        ),
    )
    if arguments.json:
        say_json("export", {"files": list(map(str, files)), "left_out": []})
        return 0
    say(f"{count(len(files), 'file')}, one per system and training run, in {arguments.out}")
    say("check them with: every_eval_ever validate FILE (package every-eval-ever)")
    return 0
