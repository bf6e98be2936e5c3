"""Collect the per-item counts of a bundle: all seeds of its system, and of the same without its intermediate task.

Torch-free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from adapterxfer.catalog import is_development, is_other_evaluation
from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.bundle_results import cells_of
from adapterxfer.hub.counts import SYSTEM, Counts, CountsFacts, RunCounts, RunFacts, file_name, write_counts
from adapterxfer.metrics import METRICS
from adapterxfer.plan import Cell, Plan
from adapterxfer.report.clusters import judged
from adapterxfer.report.display import NONE, SOURCE_LANGUAGE
from adapterxfer.report.reading import FILE_NAME, read_counts, read_frame
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store


def write_all_counts(folder: Path, plan: Plan, store: Store, key: str) -> None:
    """Write ``counts/TARGET.parquet`` for every target that a model was evaluated on.

    Args:
        folder: of the bundle that is made.
        plan: of the whole recipe.
        key: of the training stage.

    Raises:
        DataError: predictions of one target were made on different gold data.
        BundleError: two targets would have the same file.
    """
    done = store.completed()
    written: dict[str, str] = {}
    for cell in cells_of(plan, key):
        if is_other_evaluation(cell.target) or is_development(cell.target):
            continue
        counts = _collect(plan, done, cell)
        if counts is None:
            continue
        name = file_name(cell.target)
        if name in written:
            raise BundleError(f"targets {written[name]} and {cell.target}: one name for both", fix="rename a task")
        written[name] = cell.target
        write_counts(folder / layout.COUNTS / name, counts)


def _collect(plan: Plan, done: Any, cell: Cell) -> Counts | None:
    """Counts of all finished runs of a cell and its baseline; None where the cell itself is not finished."""
    roles: dict[Literal["model", "baseline"], Sequence[Cell]] = {"model": _runs_of(plan, cell, cell.intermediate)}
    if cell.intermediate != NONE and not cell.control:
        roles["baseline"] = _baseline(plan, cell)
    runs: list[RunCounts] = []
    first = None
    for role, cells in roles.items():
        for item in _each_once(cells):
            folder = done.get(item.predict[:SHORT_KEY])
            if folder is None or not (folder / FILE_NAME).is_file():
                continue
            file = read_counts(folder)
            first = first or (folder, file)
            if file.gold_fingerprint != first[1].gold_fingerprint:
                continue  # a baseline on other data is no baseline; the report refuses the whole study
            trained = "model" in plan.stages[item.predict].inputs
            run_facts = RunFacts(role=role, seed=item.seed if trained else None, stage=item.predict)
            runs.append(RunCounts(run_facts, file.counts))
    if first is None or runs[0].facts.role != "model":
        return None
    folder, file = first
    frame = judged(folder, read_frame(folder))
    facts = CountsFacts.model_validate(
        {
            "schema": 1,
            "target": cell.target,
            "metric": str(file.metadata["metric"]),
            "protocol": str(file.metadata.get("protocol") or ""),
            "gold_fingerprint": file.gold_fingerprint,
            "source_language": SOURCE_LANGUAGE,
            "parameters": cell.non_embedding_parameters or cell.parameters,
            "system": {axis: str(getattr(cell, axis)) for axis in SYSTEM},
            "runs": [run.facts for run in runs],
            **({} if str(file.metadata["metric"]) in METRICS else {"columns": list(file.columns)}),
        }
    )
    return Counts(facts, frame.languages, frame.language, frame.example, frame.cluster, tuple(runs))


def _runs_of(plan: Plan, cell: Cell, intermediate: str) -> list[Cell]:
    """The cells of all seeds of a system."""
    labels = (cell.backbone, cell.variant, cell.adapter, intermediate, cell.target, cell.control)
    return [c for c in plan.cells if (c.backbone, c.variant, c.adapter, c.intermediate, c.target, c.control) == labels]


def _baseline(plan: Plan, cell: Cell) -> list[Cell]:
    """The same system without intermediate task; for a target that is not trained, the backbone as it is."""
    if same := _runs_of(plan, cell, NONE):
        return same
    others = [
        c
        for c in plan.cells
        if (c.backbone, c.intermediate, c.target, c.control) == (cell.backbone, NONE, cell.target, "")
        and c.adapter in ("", cell.adapter)
    ]
    return others if len({c.predict for c in others}) == 1 else []


def _each_once(cells: Iterable[Cell]) -> list[Cell]:
    """One cell for every prediction file, in plan order."""
    return list({cell.predict: cell for cell in reversed(list(cells))}.values())[::-1]
