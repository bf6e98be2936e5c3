"""The columns of a table file: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import DataError
from adapterxfer.recipe.axes import AXES

Texts = npt.NDArray[np.object_]
TEXT_COLUMNS = (
    *(axis for axis in AXES if axis != "seed"), "language", "example", "cluster", "text", "gold", "prediction",
    "system",
)  # fmt: skip
"""Read as texts from CSV: an example named 007 is not 7, and Norwegian "no" is not false."""


def load_columns(path: Path, renamed: Mapping[str, str] | None = None) -> dict[str, Texts]:
    """Column -> values.

    Args:
        renamed: name in the file -> name in the result; the others keep theirs.

    Raises:
        DataError: the file cannot be read, a column appears twice, or one that is to be renamed is not there.
    """
    names = dict(renamed or {})
    columns, order = _jsonl(path) if path.suffix in (".jsonl", ".ndjson") else _arrow(path, names)
    for name in names:
        if name not in columns:
            raise DataError(f"{path}: no column '{name}'; it has: {', '.join(order)}", fix="correct --column")
    result = [names.get(name, name) for name in order]
    repeated = sorted({name for name in result if result.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: column {', '.join(repeated)} appears twice", fix="keep one of them")
    return {names.get(name, name): columns[name] for name in order}


def _arrow(path: Path, renamed: Mapping[str, str]) -> tuple[dict[str, Texts], list[str]]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix == ".parquet":
            with parquet.ParquetFile(path) as file:
                table = file.read(use_threads=False)
        else:
            texts = {*TEXT_COLUMNS} | {old for old, new in renamed.items() if new in TEXT_COLUMNS}
            table = csv.read_csv(
                path,
                read_options=csv.ReadOptions(use_threads=False),
                parse_options=csv.ParseOptions(delimiter="\t" if path.suffix in (".tsv", ".tab") else ","),
                convert_options=csv.ConvertOptions(column_types=dict.fromkeys(sorted(texts), pa.string())),
            )
    except FileNotFoundError:
        raise DataError(f"{path}: not found", fix="give a CSV, TSV, JSON lines or Parquet file") from None
    except (OSError, pa.ArrowException) as error:
        fix = "give a CSV or TSV with a header, JSON lines, or Parquet"
        raise DataError(f"{path}: cannot be read ({error})", fix=fix) from None
    repeated = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: column {', '.join(repeated)} appears twice", fix="keep one of them")
    return (
        {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names},
        list(table.column_names),
    )


def _jsonl(path: Path) -> tuple[dict[str, Texts], list[str]]:
    """One object per line; a key that a line lacks is a gap, as null is."""
    rows: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: not found", fix="give a CSV, TSV, JSON lines or Parquet file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="give UTF-8 JSON lines") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: no JSON ({error})", fix="write one object per line") from None
        if not isinstance(value, dict):
            raise DataError(f"{path}: line {number}: no object", fix="write one object per line")
        rows.append(value)
    order = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Texts] = {}
    for name in order:
        columns[name] = np.empty(len(rows), dtype=object)
        columns[name][:] = [row.get(name) for row in rows]
    return columns, order
