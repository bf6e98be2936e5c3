"""The shape of a table in a report: one description for the page, the Markdown, the CSV and the LaTeX files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from adapterxfer.report.display import parameter_text, signed

Kind = Literal[
    "text", "points", "signed", "interval", "p", "count", "nats", "size", "fine", "df", "percent", "percents"
]
Value = str | float | int | None | tuple[float, float] | tuple[float, float | None]

EMPTY = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its values are written."""

    label: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as people read it.

    Attributes:
        open: whether the page shows it unfolded.
    """

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    open: bool = True

    def texts(self) -> list[list[str]]:
        """Every value as it is shown."""
        return [
            [show(value, column.kind) for value, column in zip(row, self.columns, strict=True)] for row in self.rows
        ]


def show(value: Value, kind: Kind) -> str:
    """A value as people read it; empty where there is none."""
    if value is None:
        return EMPTY
    if isinstance(value, tuple):
        first, second = value
        if kind == "percents" and second is not None:
            return f"{first:.1%}" if f"{first:.1%}" == f"{second:.1%}" else f"{first:.1%} to {second:.1%}"
        if kind == "interval":
            return f"{signed(first)} to {signed(second)}" if second is not None else EMPTY
        return f"{first:.1f}" if second is None else f"{first:.1f} \u00b1 {second:.1f}"
    if isinstance(value, str):
        return value
    if math.isnan(value) or (math.isinf(value) and kind != "df"):
        return EMPTY
    formats: dict[Kind, Callable[[float], str]] = {
        "points": lambda v: f"{v:.1f}",
        "signed": signed,
        "p": lambda v: "< 0.001" if v < 0.001 else f"{v:.3f}",
        "count": lambda v: f"{v:.0f}",
        "nats": lambda v: f"{v:,.0f}" if abs(v) >= 1e4 else f"{v:.2g}" if 0 < abs(v) < 0.01 else f"{v:.2f}",
        "size": parameter_text,
        "fine": lambda v: f"{v:+.3f}",
        "percent": lambda v: f"{v:.1%}",
        "df": lambda v: f"{v:.0f}" if math.isfinite(v) else "",
    }
    return formats.get(kind, str)(float(value))
