"""Tables as CSV: those of the page as they are shown, and every score and effect in full."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from adapterxfer.report.content import Effect, Findings, Score, columns
from adapterxfer.report.declared import Judged
from adapterxfer.report.inputs import InputRow
from adapterxfer.report.table_shape import Table


def csv_files(findings: Findings) -> dict[str, str]:
    """File name -> text of the full tables: every score, effect, declared test and count of texts, with 6 digits."""
    return {
        "scores.csv": _csv(findings.scores, Score),
        "effects.csv": _csv(findings.effects, Effect),
        "inputs.csv": _csv(findings.inputs, InputRow),
        "hypotheses.csv": _csv(findings.tests, Judged, without=("scales", "rungs")),
    }


def table_csv(table: Table) -> str:
    """A table of the page as CSV, as it is shown."""
    return _write_csv([[column.label for column in table.columns], *table.texts()])


def _csv(records: Iterable[Any], kind: type, without: tuple[str, ...] = ()) -> str:
    names = [name for name in columns(kind) if name not in without]
    rows: list[Sequence[Any]] = [names]
    rows += [[_plain(getattr(record, name)) for name in names] for record in records]
    return _write_csv(rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
    if isinstance(value, (tuple, list)):
        return " | ".join(str(_plain(item)) for item in value)
    return "" if value is None else value


def _write_csv(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
