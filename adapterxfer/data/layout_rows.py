"""How files in a described layout are cut into rows: tables, JSON lines, records of lines, a word per line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.data.rows import Placed, read_csv, read_jsonl, read_lines, read_tsv
from adapterxfer.errors import DataError

if TYPE_CHECKING:
    from adapterxfer.data.layout_reading import Layout

BREAK = "-DOCSTART-"
"""First word of the lines between documents of CoNLL's files, which are no sentences."""


def rows_of(layout: Layout, path: Path, notes: Counter[str]) -> list[Placed]:
    """Rows of a file, each with ``path:line``; columns without names count from 0.

    Raises:
        DataError: the file is not in the layout; names the line.
    """
    if layout.record == 0:
        return _sentences(layout, path, notes)
    if layout.kind == "jsonl":
        return read_jsonl(path)
    if layout.kind == "csv" or layout.quoted:
        return read_csv(
            path, delimiter=layout.delimiter or ("," if layout.kind == "csv" else "\t"), header=layout.header
        )
    if layout.kind == "tsv":
        if layout.header:
            return read_tsv(path)
        lines = [line for line in read_lines(path) if line]
        width = len(lines[0].split("\t")) if lines else 0
        return read_tsv(path, columns=[str(number) for number in range(width)])
    return _records(path, layout.record)


def _records(path: Path, size: int) -> list[Placed]:
    """Records of so many lines."""
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) % size:
        raise DataError(f"{path}: {len(lines)} lines are no records of {size}", fix="check 'record'")
    return [
        (f"{path}:{first + 1}", {str(number): line for number, line in enumerate(lines[first : first + size])})
        for first in range(0, len(lines), size)
    ]


def _sentences(layout: Layout, path: Path, notes: Counter[str]) -> list[Placed]:
    """Sentences of a file with a word per line and an empty line between: each column is a list."""
    rows: list[Placed] = []
    lines: list[list[str]] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if line.strip():
            lines.append(_cut(line, layout))
            if len(lines[-1]) != len(lines[0]):
                raise DataError(
                    f"{path}:{number}: {len(lines[-1])} columns after {len(lines[0])}",
                    fix="repair the line, or say with 'delimiter' what stands between the columns",
                )
        elif lines:
            if lines[0][0] == BREAK:
                notes["breaks between documents left out"] += 1
            else:
                columns = {str(column): [cells[column] for cells in lines] for column in range(len(lines[0]))}
                rows.append((f"{path}:{number - len(lines)}", columns))
            lines = []
    return rows


def _cut(line: str, layout: Layout) -> list[str]:
    """Columns of a line: at tabs of a TSV, at any blanks of a text, else where the layout says."""
    delimiter = layout.delimiter or ("\t" if layout.kind == "tsv" else " ")
    return line.split() if delimiter == " " else line.split(delimiter)
