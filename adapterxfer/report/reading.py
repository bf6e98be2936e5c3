"""What the report keeps of one `predictions.parquet`: who was asked, and the counts the metric needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.predict.table import FILE_NAME, read_predictions

__all__ = ["FILE_NAME", "Frame", "PredictionFile", "read_counts", "read_frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which example stands in which row; equal for all systems of one target.

    Attributes:
        languages: language codes in file order.
        language: index into ``languages``, shape (rows,).
        example: example ids, shape (rows,).
        cluster: cluster ids, shape (rows,); shared ids mean the same cluster, also across languages.
    """

    languages: tuple[str, ...]
    language: npt.NDArray[np.int32]
    example: npt.NDArray[np.object_]
    cluster: npt.NDArray[np.object_]


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
        DataError: the file is missing, or was not written by a predict stage.
    """
    table = read_predictions(folder)
    return PredictionFile(folder / FILE_NAME, table.columns, table.counts, table.metadata)


def read_frame(folder: Path) -> Frame:
    """Which (language, example, cluster) each row is about.

    Raises:
        DataError: the file is missing, or was not written by a predict stage.
    """
    table = read_predictions(folder)
    return Frame(table.languages, table.language, table.example_id, table.cluster_id)
