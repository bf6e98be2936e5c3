"""Write predictions of a finished study as a submission folder in XTREME's layout, and its gold labels beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_json, add_recipe, add_store, read_plan
from adapterxfer.errors import DataError
from adapterxfer.plan import Plan
from adapterxfer.plan.model import Cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument("--submission", required=True, metavar="DIR", help="folder for the predictions; made if absent")
    parser.add_argument("--labels", metavar="DIR", help="folder for the gold labels in the same layout, for `score`")
    parser.add_argument("--seed", type=int, default=None, help="which training run (default: the recipe's first)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files of one system and say what was left out."""
    from adapterxfer.metrics.benchmarks import BENCHMARKS
    from adapterxfer.predict.official import write_submission
    from adapterxfer.store.store import Store

    plan, store = read_plan(arguments), Store(arguments.store)
    if plan.missing_data is not None:
        raise plan.missing_data
    official = {name for table in BENCHMARKS.values() for name in table}
    cells = one_system(plan, official, seed=arguments.seed)
    stages = [plan.stages[cell.predict] for cell in cells]
    unfinished = [cell.target for cell, stage in zip(cells, stages, strict=True) if store.find(stage) is None]
    if unfinished:
        raise DataError(
            f"{arguments.store}: no predictions yet for {', '.join(unfinished)}",
            fix=f"adapterxfer run {arguments.recipe}, with the same --set and --only",
        )
    folders = [store.folder(stage) for stage in stages]
    files = write_submission(folders, Path(arguments.submission))
    labels = write_submission(folders, Path(arguments.labels), gold=True) if arguments.labels else []
    left_out = sorted({cell.target for cell in plan.cells} - official)
    if arguments.json:
        say_json({"files": [str(path) for path in files + labels], "left_out": left_out})
        return 0
    say(f"{count(len(files), 'file')} of {count(len(cells), 'task')} in {arguments.submission}")
    if labels:
        say(f"{count(len(labels), 'file')} with gold labels in {arguments.labels}")
    if left_out:
        say(f"left out, in no benchmark: {', '.join(left_out)}")
    return 0


def one_system(plan: Plan, official: set[str], *, seed: int | None = None) -> list[Cell]:
    """The cells of the one system that a narrowed plan has, one per task of a benchmark.

    Controls (head-only among them) are taken where ``--only`` leaves nothing else.

    Args:
        official: names of the tasks of the benchmarks.
        seed: which training run; the recipe's first if absent.

    Raises:
        DataError: there is none, or a task has several systems.
    """
    run = plan.recipe.seeds[0] if seed is None else seed
    cells = [cell for cell in plan.cells if cell.target in official and cell.seed == run]
    chosen: dict[str, dict[str, Cell]] = {}
    for cell in [cell for cell in cells if not cell.control] or cells:
        labels = (cell.backbone, cell.variant, cell.adapter, cell.intermediate, cell.control)
        chosen.setdefault(cell.target, {}).setdefault(" ".join(label for label in labels if label), cell)
    if not chosen:
        raise DataError(
            f"{plan.recipe.name}: no system with seed {run} on a task of XTREME or XTREME-R",
            fix=f"seeds of the recipe: {', '.join(map(str, plan.recipe.seeds))}; tasks: {', '.join(sorted(official))}",
        )
    for target, systems in chosen.items():
        if len(systems) > 1:
            names = "; ".join(list(systems)[:6])
            raise DataError(
                f"{plan.recipe.name}: {len(systems)} systems were evaluated on {target}: {names}",
                fix="choose one with --only, e.g. --only variant=stack --only backbone=NAME --only intermediate=none",
            )
    return [next(iter(systems.values())) for systems in chosen.values()]
