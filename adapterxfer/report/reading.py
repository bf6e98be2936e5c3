"""What the report keeps of one `predictions.parquet`: who was asked, and the counts the metric needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.metrics import check_counts, is_metric, read_metric
from adapterxfer.predict.table import FILE_NAME, Predictions, read_predictions

__all__ = ["FILE_NAME", "Frame", "PredictionFile", "gold_difference", "read_counts", "read_frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Which example stands in which row; equal for all systems of one target.

    Attributes:
        languages: language codes in file order.
        language: index into ``languages``, shape (rows,).
        example: example ids, shape (rows,).
        cluster: cluster ids, shape (rows,); shared ids mean the same cluster, also across languages.
        gold: gold answers, shape (rows,); empty where they were not read.
        parallel_by: what tells that rows of different languages are one item: ``ids``, ``rows``, or nothing.
        equal: how many clusters went into others because their texts are equal.
    """

    languages: tuple[str, ...]
    language: npt.NDArray[np.int32]
    example: npt.NDArray[np.object_]
    cluster: npt.NDArray[np.object_]
    gold: npt.NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    parallel_by: str = ""
    equal: int = 0


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """The numbers of one predict stage.

    Attributes:
        counts: shape (rows, columns of the metric), in file order.
        metadata: schema, stage key, task, format, metric, protocol and gold fingerprint.
    """

    path: Path
    columns: tuple[str, ...]
    counts: npt.NDArray[np.float64]
    metadata: Mapping[str, Any]

    @property
    def gold_fingerprint(self) -> str:
        """sha256 over the (language, example id, gold) rows."""
        return str(self.metadata["gold_fingerprint"])


def read_counts(folder: Path) -> PredictionFile:
    """Metadata and counts; the texts are dropped, so a whole study fits in memory.

    Raises:
        DataError: the file is missing, was not written by a predict stage, or holds counts no score can come from.
    """
    table = read_predictions(folder)
    name = str(table.metadata.get("metric"))
    metric = read_metric(name, table.columns) if is_metric(name) else None
    if metric is not None and metric.columns == table.columns:
        check_counts(metric, table.counts, where=str(folder / FILE_NAME))
    return PredictionFile(folder / FILE_NAME, table.columns, table.counts, table.metadata)


def read_frame(folder: Path) -> Frame:
    """Which (language, example, cluster) each row is about.

    Raises:
        DataError: the file is missing, or was not written by a predict stage.
    """
    table = read_predictions(folder)
    return Frame(
        languages=table.languages,
        language=table.language,
        example=table.example_id,
        cluster=table.cluster_id,
        gold=table.gold,
    )


def gold_difference(first: Path, second: Path) -> str:
    """What is different in the gold data of two prediction files, in words: languages, examples or gold answers.

    Args:
        first, second: folders of the predict stages.
    """
    tables = [read_predictions(folder) for folder in (first, second)]
    names = [f"{folder / FILE_NAME}" for folder in (first, second)]
    for mine, its, name in ((tables[1], tables[0], names[1]), (tables[0], tables[1], names[0])):
        lacking = sorted(set(its.languages) - set(mine.languages))
        if lacking:
            return f"{name} has no rows in {', '.join(lacking)}"
    golds = [_golds(table) for table in tables]
    for mine_, its_, name in ((golds[1], golds[0], names[1]), (golds[0], golds[1], names[0])):
        absent = [key for key in its_ if key not in mine_]
        if absent:
            language, example = absent[0]
            return f"{name} lacks {len(absent)} examples, the first is '{example}' in {language}"
    changed = [key for key in golds[0] if golds[0][key] != golds[1][key]]
    if not changed:
        return "the same examples stand in another order"
    language, example = changed[0]
    return (
        f"{len(changed)} of {len(golds[0])} gold answers differ, the first is that of example '{example}' in "
        f"{language}: {golds[0][changed[0]]!r} and {golds[1][changed[0]]!r}"
    )


def _golds(table: Predictions) -> dict[tuple[str, str], str]:
    codes = [table.languages[index] for index in table.language]
    return dict(zip(zip(codes, table.example_id, strict=True), table.gold, strict=True))
