"""Everything that is printed goes through here: tables for people, JSON for programs, errors to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.outputs import OUTPUTS

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console that draws only on a terminal and never breaks long lines of plain output."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal:
        terminal.width = 200
    return terminal


def say(text: str = "") -> None:
    """One line of ordinary output."""
    print(text, flush=True)


def complain(text: str) -> None:
    """An error or a warning, to stderr."""
    print(text, file=sys.stderr, flush=True)


def say_json(command: str, values: Mapping[str, Any]) -> None:
    """One JSON document, as `outputs.OUTPUTS` describes that of the command."""
    print(json.dumps(document_of(command, values), indent=2, ensure_ascii=False), flush=True)


def document_of(command: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the command and the version of its output."""
    return {"command": command, "output_version": OUTPUTS[command].version, **values}


def say_table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """A table of columns wide enough for their content; plain text, so it can be piped.

    Args:
        right: positions of columns aligned to the right.
    """
    cells = [[str(cell) for cell in header], *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        parts = [
            text.rjust(widths[column]) if column in right else text.ljust(widths[column])
            for column, text in enumerate(row)
        ]
        say("  ".join(parts).rstrip())


def duration(seconds: float) -> str:
    """``3 s``, ``2 min 41 s`` or ``5 h 12 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str) -> str:
    """``1 stage`` or ``3 stages``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
