"""The counts of every test item as tables that `significance` reads, so that others can recompute what a study says.

One Parquet file for each target and way of scoring it, one row for each item of each training run: what was counted,
never texts, gold answers or predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.report.results import Results
from adapterxfer.report.score_tables import MARKS, SYSTEM
from adapterxfer.report.target_results import TargetResults

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from adapterxfer.report.display import Cell

CELL = (*SYSTEM, *MARKS, "seed", "target")


ROWS_OF_A_GROUP = 2_000_000
"""Rows held and compressed at a time: every group of them repeats the names of all items."""


def write_item_tables(results: Results, folder: Path, *, about: Mapping[str, str]) -> list[Path]:
    """Write ``TARGET.parquet`` for each target that has predictions.

    Args:
        folder: made if absent.
        about: facts of the study for the metadata of each file, e.g. its name and the version that made it.

    Raises:
        DataError: nothing is finished, or a metric's counts cannot stand beside the columns of a table.
    """
    if not results.targets:
        raise DataError("no predictions are finished", fix="run the recipe first, with the same --set and --only")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in results.targets:
        path = folder / f"{name}.parquet"
        _write(path, results, results.target(name), about)
        written.append(path)
    return written


def _write(path: Path, results: Results, target: TargetResults, about: Mapping[str, str]) -> None:
    """All training runs, each with the same items in the same order."""
    import pyarrow as pa
    from pyarrow import parquet

    facts = {
        **about,
        "metric": target.metric.name,
        "protocol": str(target.protocol or ""),
        "gold_fingerprint": target.gold_fingerprint,
        "source_language": results.source_language,
    }
    items = _items(results, target)
    whole = np.all([(counts == np.round(counts)).all(axis=0) for counts in target.counts.values()], axis=0)
    part = path.with_name(f"{path.name}.part")
    together = max(1, ROWS_OF_A_GROUP // max(1, len(target.frame.language)))
    file = None
    for first in range(0, len(target.cells), together):
        rows = [_rows(cell, target, items, whole) for cell in target.cells[first : first + together]]
        table = pa.concat_tables(rows).unify_dictionaries().replace_schema_metadata(facts)
        # All systems of an item, then those of the next: names of items repeat, and the file is a sixth as large.
        table = table.take(np.arange(len(table)).reshape(len(rows), -1).T.ravel())
        file = file or parquet.ParquetWriter(part, table.schema, compression="zstd", compression_level=19)
        file.write_table(table)
    if file is not None:
        file.close()
    part.replace(path)


def _items(results: Results, target: TargetResults) -> dict[str, pa.Array]:
    """The columns that are the same for every system."""
    frame = target.frame
    codes = [frame.languages[number] for number in frame.language]
    languages = [results.languages[code] for code in codes]
    return {
        "language": _texts(codes),
        "family": _texts([facts.family for facts in languages]),
        "resource": _texts([facts.resource for facts in languages]),
        "example": _texts(frame.example.tolist()),
        "cluster": _texts(frame.cluster.tolist()),
    }


def _rows(cell: Cell, target: TargetResults, items: Mapping[str, pa.Array], whole: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows of one training run.

    Args:
        whole: for each count, whether it is a whole number in every run of the target: one type for all of a file.
    """
    import pyarrow as pa

    counts = target.counts[cell.predict]
    taken = {*CELL, *items, "metric"} & set(target.metric.columns)
    if taken:
        raise DataError(
            f"metric '{target.metric.name}' counts a column '{min(taken)}', which a table has for something else",
            fix="give the metric's columns other names",
        )
    columns: dict[str, Any] = {name: _repeated(getattr(cell, name), len(counts)) for name in CELL}
    columns |= {**items, "metric": _repeated(target.metric.name, len(counts))}
    for number, name in enumerate(target.metric.columns):
        columns[name] = pa.array(counts[:, number].astype(np.int64 if whole[number] else np.float64))
    return pa.table(columns)


def _texts(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([str(value) for value in values], type=pa.string()).dictionary_encode()


def _repeated(value: str | int, count: int) -> pa.Array:
    import pyarrow as pa

    if isinstance(value, int):
        return pa.array(np.full(count, value, dtype=np.int64))
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), [value])
