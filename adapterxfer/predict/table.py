"""The prediction file: `predictions.parquet`, one row per example and language, the same for every kind of system.

Rows are sorted by language and then in the order of the task, so the same example has the same row in every file of a
target, and comparing two systems is subtracting two columns. The fingerprint of the gold column proves it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adapterxfer.data.gold import gold_text
from adapterxfer.errors import DataError, wrong_schema
from adapterxfer.metrics import Metric, check_counts, count_predictions
from adapterxfer.store.keys import canonical_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adapterxfer.data.examples import Example

FILE_NAME = "predictions.parquet"
METADATA_KEY = "adapterxfer"
SCHEMA_VERSION = 1
TEXT_COLUMNS = ("language", "example_id", "cluster_id", "prediction", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """One prediction file in memory.

    Attributes:
        metadata: ``schema, stage_key, task, format, metric, protocol, gold_fingerprint`` and what the writer added.
        languages: language codes; ``language`` indexes them.
        language: shape ``(rows,)``.
        example_id, cluster_id, prediction, gold: shape ``(rows,)``, text.
        columns: names of the count columns.
        counts: shape ``(rows, columns)``, float64.
    """

    metadata: Mapping[str, Any]
    languages: tuple[str, ...]
    language: NDArray[np.int32]
    example_id: NDArray[np.object_]
    cluster_id: NDArray[np.object_]
    prediction: NDArray[np.object_]
    gold: NDArray[np.object_]
    columns: tuple[str, ...]
    counts: NDArray[np.float64]

    def sums(self) -> dict[str, NDArray[np.float64]]:
        """Language -> summed counts, ready for `Metric.score`."""
        return {code: self.counts[self.language == index].sum(axis=0) for index, code in enumerate(self.languages)}


def write_predictions(
    folder: Path,
    examples: Sequence[Example],
    predictions: Sequence[str],
    metric: Metric,
    *,
    metadata: Mapping[str, Any],
    counts: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Write the predictions of one system on one task.

    Args:
        folder: where `predictions.parquet` goes.
        examples: of all languages, in the order of ``predictions``.
        metric: decides the count columns.
        metadata: at least ``stage_key``, ``task``, ``format`` and ``protocol``.
        counts: expected counts of a control that draws at random, shape ``(examples, columns)``; they are counted from
            prediction and gold where None. Integer columns that hold fractions are written as floats.

    Returns:
        the metadata as written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    golds = [gold_text(example) for example in examples]
    if counts is None:
        counts = count_predictions(metric, predictions, golds, languages=[example.language for example in examples])
    if counts.shape != (len(examples), len(metric.columns)) or len(predictions) != len(examples):
        raise DataError(
            f"counts {counts.shape} and {len(predictions)} predictions for {len(examples)} examples with columns "
            f"{', '.join(metric.columns)}",
            fix="predict and count every example once",
        )
    check_counts(metric, counts, where=str(folder / FILE_NAME))
    order = sorted(range(len(examples)), key=lambda i: examples[i].language)
    gold_rows = [(examples[i].language, examples[i].example_id, golds[i]) for i in order]
    written = {
        "schema": SCHEMA_VERSION,
        **metadata,
        "metric": metric.name,
        "gold_fingerprint": gold_fingerprint(gold_rows),
    }
    columns: dict[str, Any] = {
        "language": pa.array([row[0] for row in gold_rows]).dictionary_encode(),
        "example_id": pa.array([row[1] for row in gold_rows]),
        "cluster_id": pa.array([examples[i].cluster_id for i in order]),
        "prediction": pa.array([predictions[i] for i in order], type=pa.string()),
        "gold": pa.array([row[2] for row in gold_rows]),
    }
    for column, name in enumerate(metric.columns):
        values = counts[order, column]
        whole = name not in metric.float_columns and bool((values == np.round(values)).all())
        columns[name] = pa.array(values.astype(np.int32) if whole else values)
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: canonical_json(written)})
    pq.write_table(table, folder / FILE_NAME, compression="zstd")
    return written


def read_predictions(folder: Path) -> Predictions:
    """Read the prediction file of a stage folder.

    Raises:
        DataError: there is none, it was not written by `write_predictions`, or a count is missing or not finite.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / FILE_NAME
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
    except FileNotFoundError:
        raise DataError(f"{path}: not found", fix="run the predict stage first") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="delete this stage's folder and run again") from None
    raw = (table.schema.metadata or {}).get(METADATA_KEY.encode())
    metadata = json.loads(raw) if raw else {}
    if metadata.get("schema") != SCHEMA_VERSION:
        cause, fix = wrong_schema(path, metadata.get("schema"), SCHEMA_VERSION)
        raise DataError(cause, fix=fix)
    if tuple(table.column_names[: len(TEXT_COLUMNS)]) != TEXT_COLUMNS:
        raise DataError(
            f"{path}: columns {', '.join(table.column_names[: len(TEXT_COLUMNS)])}; expected {', '.join(TEXT_COLUMNS)}",
            fix="delete this stage's folder and run again",
        )
    language = table.column("language").combine_chunks()
    if isinstance(language, pa.ChunkedArray):
        language = language.chunk(0)
    columns = tuple(table.column_names[len(TEXT_COLUMNS) :])
    texts = {name: table.column(name).to_numpy(zero_copy_only=False) for name in TEXT_COLUMNS[1:]}
    predictions = Predictions(
        metadata=metadata,
        languages=tuple(language.dictionary.to_pylist()),
        language=language.indices.to_numpy(zero_copy_only=False),
        columns=columns,
        counts=np.stack([table.column(name).to_numpy().astype(np.float64) for name in columns], axis=1),
        **texts,
    )
    _check_finite(path, predictions)
    return predictions


def _check_finite(path: Path, table: Predictions) -> None:
    """One NaN would turn the score of its language, every mean over it and every p-value into NaN."""
    bad = np.argwhere(~np.isfinite(table.counts))
    if len(bad):
        row, column = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise DataError(
            f"{path}: {table.columns[column]} of example '{table.example_id[row]}' in "
            f"{table.languages[table.language[row]]} is {table.counts[row, column]}{more}; counts are finite",
            fix="the file is damaged or its metric is: delete this stage's folder and run again",
        )


def gold_fingerprint(rows: Iterable[tuple[str, str, str]]) -> str:
    """sha256 over (language, example id, gold), in row order."""
    state = hashlib.sha256()
    for row in rows:
        state.update(canonical_json(list(row)).encode())
        state.update(b"\n")
    return state.hexdigest()
