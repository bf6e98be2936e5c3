"""How many parameters every system has and trains, as its predictions tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report.content import SystemSize
from adapterxfer.report.display import NONE, Cell
from adapterxfer.report.provenance import training_gflop
from adapterxfer.report.results import Results
from adapterxfer.report.study import UNTRAINED_LABEL, Study, arm_labels

FIELD = "model_size"
"""In the metadata of predictions; those of earlier versions lack it."""


def system_sizes(results: Results, study: Study) -> tuple[SystemSize, ...]:
    """One row for every backbone and system whose predictions tell its size, controls left out, by backbone."""
    arms = arm_labels(results.cells)
    cells: dict[tuple[str, str], list[tuple[Cell, Mapping[str, Any]]]] = {}
    for cell in results.cells:
        size = results.file(cell).metadata.get(FIELD)
        if cell.is_control or not size or supervision_of(cell.target):
            continue
        system = study.systems.get((cell.backbone, arms[cell.variant, cell.adapter], cell.intermediate, cell.target))
        label = study.shown.get((system, cell.target), "") if system is not None else ""
        if label and not label.startswith(UNTRAINED_LABEL):
            cells.setdefault((cell.backbone, label), []).append((cell, size))
    order = [backbone.name for backbone in study.backbones]
    rows = [_row(results, backbone, label, members) for (backbone, label), members in cells.items()]
    return tuple(sorted(rows, key=lambda row: order.index(row.backbone)))


def _row(results: Results, backbone: str, label: str, members: list[tuple[Cell, Mapping[str, Any]]]) -> SystemSize:
    first = members[0][0]
    return SystemSize(
        backbone=backbone,
        system=label,
        trained=tuple(dict.fromkeys(cell.intermediate for cell, _ in members if cell.intermediate != NONE)),
        parameters=first.parameters,
        non_embedding_parameters=first.non_embedding_parameters,
        total=_ends([int(size["total"]) for _, size in members]),
        trainable=_ends([int(size["trainable"]) for _, size in members if "trainable" in size]),
        gflop=_mean([training_gflop(results.folders[cell.predict]) for cell, _ in members]),
    )


def _mean(values: list[float | None]) -> float | None:
    """None where one is unknown: a mean over some cells alone would compare unlike things."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _ends(values: list[int]) -> tuple[int, ...]:
    """Smallest and largest value; one number if they are equal, nothing if there are no values."""
    return tuple(sorted({min(values), max(values)})) if values else ()
