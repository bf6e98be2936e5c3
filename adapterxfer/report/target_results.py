"""`TargetResults`: all systems of a study on one target, checked to have been evaluated on the same gold data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS, Metric, is_metric, read_metric
from adapterxfer.report.clusters import judged
from adapterxfer.report.display import Cell
from adapterxfer.report.reading import Frame, PredictionFile, gold_difference, read_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResults:
    """All systems on one target: the same rows in the same order for every one of them.

    Attributes:
        cells: the cells of this target that have predictions.
        counts: ``cell.predict`` -> counts of shape (rows, columns of the metric).
        zero_shot: the languages without labelled target data in training: all but the source language.
    """

    target: str
    metric: Metric
    protocol: Any
    frame: Frame
    gold_fingerprint: str
    cells: tuple[Cell, ...]
    counts: Mapping[str, npt.NDArray[np.float64]]
    zero_shot: tuple[str, ...]

    def scores_by_language(self, predict: str) -> dict[str, float]:
        """Score in points of one prediction file in every language."""
        table = np.zeros((len(self.frame.languages), self.counts[predict].shape[1]))
        np.add.at(table, self.frame.language, self.counts[predict])
        values = np.asarray(self.metric.score(table), dtype=np.float64)
        return {code: float(value) for code, value in zip(self.frame.languages, values, strict=True)}


def target_results(
    cells: tuple[Cell, ...], files: Mapping[str, PredictionFile], folder: Path, *, source_language: str
) -> TargetResults:
    """The systems of one target.

    Args:
        cells: with predictions, all of this target.
        files: ``cell.predict`` -> its file, of all of these cells at least.
        folder: of the first cell's predict stage.

    Raises:
        DataError: the metric is unknown, or the file lacks one of its columns.
    """
    first = files[cells[0].predict]
    frame = judged(folder, read_frame(folder))
    return TargetResults(
        target=cells[0].target,
        metric=metric_of(first),
        protocol=first.metadata.get("protocol"),
        frame=frame,
        gold_fingerprint=first.gold_fingerprint,
        cells=cells,
        counts={cell.predict: files[cell.predict].counts for cell in cells},
        zero_shot=tuple(code for code in frame.languages if code != source_language),
    )


def metric_of(file: PredictionFile) -> Metric:
    """The metric a prediction file names, with its columns checked.

    Raises:
        DataError: the metric is unknown, or the file lacks one of its columns.
    """
    name = str(file.metadata.get("metric"))
    if not is_metric(name):
        raise DataError(f"{file.path}: unknown metric '{name}'", fix=f"known metrics: {', '.join(sorted(METRICS))}")
    metric = read_metric(name, file.columns)
    if tuple(metric.columns) != file.columns:
        raise DataError(
            f"{file.path}: metric '{name}' needs the columns {', '.join(metric.columns)}, "
            f"the file has {', '.join(file.columns)}",
            fix="the file is from another version: delete the folder of this stage and run the recipe again",
        )
    return metric


def check_same_gold(cells: Sequence[Cell], files: Mapping[str, PredictionFile]) -> None:
    """Refuse systems of one target that cannot be compared.

    Raises:
        DataError: two of them have different gold data, metrics or protocols.
    """
    first: dict[str, PredictionFile] = {}
    for cell in cells:
        file = files[cell.predict]
        other = first.setdefault(cell.target, file)
        for column in ("gold_fingerprint", "metric", "protocol"):
            if file.metadata.get(column) != other.metadata.get(column):
                gold = column == "gold_fingerprint"
                cause = f"\n  {gold_difference(other.path.parent, file.path.parent)}" if gold else ""
                raise DataError(
                    f"target '{cell.target}': two systems cannot be compared because their {column} differs\n"
                    f"  {other.path}: {other.metadata.get(column)}\n"
                    f"  {file.path}: {file.metadata.get(column)}{cause}",
                    fix="predictions of different data or settings share a target name: plan the recipe again, "
                    "and delete predict folders of other versions of the data",
                )
        if file.counts.shape != other.counts.shape:
            raise DataError(
                f"{file.path}: {len(file.counts)} rows, but {other.path} has {len(other.counts)} with the same gold",
                fix="one of the files is damaged: delete its folder and run the recipe again",
            )
