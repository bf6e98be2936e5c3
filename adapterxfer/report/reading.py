"""Read one `predictions.parquet` as arrays: who was asked, and the counts the metric needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from adapterxfer.errors import DataError

FILE_NAME = "predictions.parquet"
METADATA_KEY = b"adapterxfer"
TEXT_COLUMNS = ("language", "example_id", "cluster_id", "prediction", "gold")


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
    language: npt.NDArray[np.int64]
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
    metadata: dict[str, Any]

    @property
    def gold_fingerprint(self) -> str:
        """sha256 over the (language, example id, gold) rows."""
        return str(self.metadata["gold_fingerprint"])


def read_counts(folder: Path) -> PredictionFile:
    """Read metadata and count columns of the predictions in a stage folder.

    Raises:
        DataError: the file is missing, or was not written by a predict stage.
    """
    path, metadata, names = _open(folder)
    columns = tuple(name for name in names if name not in TEXT_COLUMNS)
    table = pq.read_table(path, columns=list(columns))
    arrays = [table.column(name).to_numpy().astype(np.float64) for name in columns]
    return PredictionFile(path=path, columns=columns, counts=np.stack(arrays, axis=1), metadata=metadata)


def read_frame(folder: Path) -> Frame:
    """Read which (language, example, cluster) each row of the predictions is about.

    Raises:
        DataError: the file is missing, or was not written by a predict stage.
    """
    path, _, _ = _open(folder)
    table = pq.read_table(path, columns=["language", "example_id", "cluster_id"])
    names = np.asarray(table.column("language").to_pylist(), dtype=object)
    languages = tuple(dict.fromkeys(names.tolist()))
    position = {code: index for index, code in enumerate(languages)}
    return Frame(
        languages=languages,
        language=np.fromiter((position[name] for name in names), dtype=np.int64, count=len(names)),
        example=np.asarray(table.column("example_id").to_pylist(), dtype=object),
        cluster=np.asarray(table.column("cluster_id").to_pylist(), dtype=object),
    )


def _open(folder: Path) -> tuple[Path, dict[str, Any], list[str]]:
    path = folder / FILE_NAME
    if not path.is_file():
        raise DataError(f"{path}: no predictions here", fix="run the recipe again; finished stages are not repeated")
    schema = pq.read_schema(path)
    raw = (schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise DataError(
            f"{path}: not a prediction file of adapterxfer (its metadata has no '{METADATA_KEY.decode()}')",
            fix="delete the folder of this stage and run the recipe again",
        )
    return path, dict(json.loads(raw)), list(schema.names)
