"""Rows of table-like files: TSV without quoting, CSV with it, JSON lines. Strict: what does not fit names its line.

TSV is split at tabs and nothing else: quoting rules of CSV readers merge rows of several official files, and words such
as ``null`` or ``NA`` must stay words. Lines end at line feeds only, never at the other breaks of `str.splitlines`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.data.files import open_text
from adapterxfer.errors import DataError

MOST_BROKEN = 0.01
"""Share of broken rows up to which they are left out where a task is known to have some."""

HIDDEN_FROM = 20
"""Examples from which on one label for all of them means that the labels were removed."""

Row = Mapping[str, Any]
Placed = tuple[str, Row]
"""``path:line`` and the fields of that line."""


def read_tsv(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    notes: Counter[str] | None = None,
    skip_broken: bool = False,
) -> list[Placed]:
    """Rows of a tab-separated file; empty lines are left out.

    Args:
        columns: names of the columns of a file without header; where None, the first line has them.
        notes: counts the broken rows left out.
        skip_broken: leave rows with another number of fields out instead of refusing the file.

    Raises:
        DataError: a row has another number of fields, or too many rows are broken.
    """
    rows: list[Placed] = []
    broken = 0
    names = list(columns) if columns is not None else None
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\n")
            if number == 1:
                text = text.removeprefix("\ufeff")
            if not text:
                continue
            cells = text.split("\t")
            if names is None:
                names = cells
                if len(set(names)) < len(names):
                    raise DataError(f"{path}:1: a column name occurs twice in the header", fix="repair the header")
                continue
            if len(cells) != len(names):
                if not skip_broken:
                    raise DataError(
                        f"{path}:{number}: {len(cells)} fields; expected {len(names)} ({', '.join(names)})",
                        fix="download the file again; it is read without quoting, one row per line",
                    )
                broken += 1
                continue
            rows.append((f"{path}:{number}", dict(zip(names, cells, strict=True))))
    if broken > MOST_BROKEN * (len(rows) + broken):
        raise DataError(f"{path}: {broken} of {len(rows) + broken} rows are broken", fix="download the file again")
    if notes is not None and broken:
        notes["broken rows left out"] += broken
    return rows


def read_csv(path: Path, *, delimiter: str = ",", header: bool = True) -> list[Placed]:
    """Rows of a table with quoting (RFC 4180).

    Args:
        delimiter: one sign between the columns.
        header: whether the first row names the columns; otherwise they count from 0.

    Raises:
        DataError: quoting or the number of fields is wrong, or two columns have one name.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows: list[Placed] = []
    names: list[str] = []
    with open_text(path) as lines:
        reader = csv.reader(_without_mark(lines), strict=True, delimiter=delimiter)
        try:
            for cells in reader:
                if not cells:
                    continue
                if not names:
                    names = cells if header else [str(number) for number in range(len(cells))]
                    if len(set(names)) < len(names):
                        raise DataError(f"{path}:1: a column name occurs twice in the header", fix="repair the header")
                    if header:
                        continue
                if len(cells) != len(names):
                    raise DataError(
                        f"{path}:{reader.line_num}: {len(cells)} fields; expected {len(names)} ({', '.join(names)})",
                        fix="repair the row, or say with a layout what stands between the columns",
                    )
                rows.append((f"{path}:{reader.line_num}", dict(zip(names, cells, strict=True))))
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}", fix="expected CSV with quoting") from None
    return rows


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def read_jsonl(path: Path) -> list[Placed]:
    """Objects of a JSON lines file; empty lines are left out.

    Raises:
        DataError: a line is no JSON object.
    """
    rows: list[Placed] = []
    with open_text(path) as lines:
        for number, line in enumerate(_without_mark(lines), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: not valid JSON ({error})", fix="download the file again") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: not a JSON object", fix="expected one object per line")
            rows.append((f"{path}:{number}", row))
    return rows


def read_lines(path: Path) -> list[str]:
    """Lines without their ends; an empty last line is left out."""
    with open_text(path) as lines:
        return [line.rstrip("\n") for line in _without_mark(lines)]


def field(placed: Placed, *names: str) -> Any:
    """The first of several fields that a row has.

    Raises:
        DataError: it has none of them.
    """
    position, row = placed
    for name in names:
        if name in row:
            return row[name]
    raise DataError(
        f"{position}: no field '{names[0]}'; it has {', '.join(map(str, row)) or 'none'}",
        fix="use the official file, or describe its columns with a layout",
    )


def text(placed: Placed, *names: str) -> str:
    """`field`, which must be a text.

    Raises:
        DataError: it is absent or something else.
    """
    value = field(placed, *names)
    if not isinstance(value, str):
        raise DataError(f"{placed[0]}: field '{names[0]}' is {value!r}; expected text", fix="download the file again")
    return value


def name_of(placed: Placed, value: object, names: Mapping[str, str]) -> str:
    """The official label name of a raw label.

    Args:
        names: raw label -> official name.

    Raises:
        DataError: the raw label is unknown.
    """
    name = names.get(str(value))
    if name is None:
        raise DataError(
            f"{placed[0]}: label {value!r} is not one of: {', '.join(names)}",
            fix="use the official file; columns may be shuffled, or the labels removed",
        )
    return name


def refuse_hidden(path: Path, labels: Sequence[object]) -> None:
    """Refuse a file whose labels all agree: released test files hide them so.

    Raises:
        DataError: there are at least `HIDDEN_FROM` labels, all equal.
    """
    if len(labels) >= HIDDEN_FROM and len(set(labels)) == 1:
        raise DataError(
            f"{path}: all {len(labels)} labels are {labels[0]!r}: they were removed from this copy (XTREME's download "
            "folder does so)",
            fix="get the labelled test set from the task's own site or the Hub",
        )
