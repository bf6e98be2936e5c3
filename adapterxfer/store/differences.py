"""Comparing two results of one stage that were made on different machines.

The key of a stage promises the same numbers everywhere. Whenever two results of one stage meet, they are compared: a
check of that promise that costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.store.files import write_json
from adapterxfer.store.record import SCHEMA, StageRecord
from adapterxfer.store.sealing import sealed

TIMED = frozenset({"log.jsonl", "pretraining.json"})
"""Files that hold seconds: they differ between any two runs."""

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True, slots=True)
class Difference:
    """How a second result of a stage differs from the one that stays.

    Attributes:
        here: the result that stays.
        there: the other one.
        files: names of files whose bytes differ.
        rows: rows of the predictions that differ, and all rows; None where no predictions differ.
    """

    here: StageRecord
    there: StageRecord
    files: tuple[str, ...]
    rows: tuple[int, int] | None

    @property
    def matters(self) -> bool:
        """Whether a prediction differs, or, in a stage without predictions, any file."""
        return self.rows[0] > 0 if self.rows is not None else bool(self.files)

    def __str__(self) -> str:
        stage = self.here.stage
        rows = f"; {self.rows[0]:,} of {self.rows[1]:,} predictions" if self.rows is not None else ""
        return f"{stage.kind} {stage.folder_name}: {', '.join(self.files)} differ{rows}"

    def as_json(self) -> dict[str, Any]:
        """The content of ``differences/<key16>.json``: what differs, and in which software and on which machines."""
        return {
            "schema": SCHEMA,
            "stage": self.here.stage.as_json(),
            "files": list(self.files),
            "rows": list(self.rows) if self.rows is not None else None,
            "provenance": {"here": dict(self.here.provenance), "there": dict(self.there.provenance)},
        }

    def write(self, root: Path) -> Path:
        """Keep it in the store, so that it is seen later too."""
        folder = root / "differences"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.here.stage.short_key}.json"
        write_json(path, sealed(self.as_json()))
        return path


def compare_results(here: StageRecord, there: StageRecord) -> Difference | None:
    """Compare two intact results of the same stage; None where every file is the same byte for byte.

    Predictions are compared row by row where their files differ: another version of the library that writes them may
    choose other bytes for the same table.
    """
    names = sorted({*here.artefacts, *there.artefacts} - TIMED)
    files = tuple(name for name in names if _sha256(here, name) != _sha256(there, name))
    if not files:
        return None
    rows = None
    if PREDICTIONS in files and PREDICTIONS in here.artefacts and PREDICTIONS in there.artefacts:
        rows = different_rows(here.folder / PREDICTIONS, there.folder / PREDICTIONS)
    return Difference(here, there, files, rows)


def different_rows(here: Path, there: Path) -> tuple[int, int]:
    """Rows that are not in both tables at the same place, and the number of rows of the longer one."""
    from pyarrow import compute, parquet

    mine, other = parquet.read_table(here), parquet.read_table(there)
    total = max(mine.num_rows, other.num_rows)
    if mine.column_names != other.column_names or mine.num_rows != other.num_rows:
        return total, total
    same = None
    for name in mine.column_names:
        left, right = (_plain(table.column(name)) for table in (mine, other))
        column = compute.fill_null(compute.equal(left, right), False)
        same = column if same is None else compute.and_(same, column)
    equal = compute.sum(same).as_py() if same is not None else total
    return total - int(equal or 0), total


def read_differences(root: Path) -> dict[str, Mapping[str, Any]]:
    """Short key -> recorded difference; unreadable ones are left out, since they only inform."""
    metadata: dict[str, Mapping[str, Any]] = {}
    folder = root / "differences"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            metadata[path.stem] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
    return metadata


def _sha256(record: StageRecord, name: str) -> str:
    facts = record.artefacts.get(name)
    return facts["sha256"] if facts else ""


def _plain(column: Any) -> Any:
    """A dictionary column as its values."""
    from pyarrow import types

    return column.cast(column.type.value_type) if types.is_dictionary(column.type) else column
