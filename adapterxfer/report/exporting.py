"""Predictions of one system of a study as a submission folder, and its gold labels beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.plan import Plan
from adapterxfer.plan.cells import Cell
from adapterxfer.predict.official import write_submission
from adapterxfer.report.clusters import judged
from adapterxfer.report.reading import read_frame
from adapterxfer.store.store import Store

OFFICIAL = frozenset(name for table in BENCHMARKS.values() for name in table)
"""Tasks of the two benchmarks."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and the targets of the plan that no benchmark has."""

    predictions: tuple[Path, ...]
    labels: tuple[Path, ...]
    tasks: tuple[str, ...]
    left_out: tuple[str, ...]


def export_submission(
    plan: Plan, store: Store, folder: Path, *, labels: Path | None = None, seed: int | None = None
) -> Exported:
    """Write the predictions of the one system of a narrowed plan in XTREME's layout.

    Args:
        folder: made if absent.
        labels: folder for the gold in the same layout; none is written if absent.
        seed: which training run; the recipe's first if absent.

    Raises:
        DataError: there is no such system or several, or its predictions are not finished.
    """
    if plan.missing_data is not None:
        raise plan.missing_data
    cells = one_system(plan, OFFICIAL, seed=seed)
    stages = [plan.stages[cell.predict] for cell in cells]
    unfinished = [cell.target for cell, stage in zip(cells, stages, strict=True) if store.find(stage) is None]
    if unfinished:
        raise DataError(
            f"{store.root}: no predictions yet for {', '.join(unfinished)}",
            fix="run the recipe first, with the same --set and --only",
        )
    folders = [store.folder(stage) for stage in stages]
    clusters = [judged(predict, read_frame(predict)).cluster for predict in folders]
    return Exported(
        tuple(write_submission(folders, folder, clusters=clusters)),
        tuple(write_submission(folders, labels, gold=True, clusters=clusters)) if labels else (),
        tuple(cell.target for cell in cells),
        tuple(sorted({cell.target for cell in plan.cells} - OFFICIAL)),
    )


def one_system(plan: Plan, official: Collection[str], *, seed: int | None = None) -> list[Cell]:
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
        chosen.setdefault(cell.target, {}).setdefault(" ".join(label for label in cell.system if label), cell)
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
