"""Keep docs/benchmarks.csv: every published figure with its commit, date, machine and command.

    python scripts/list_benchmarks.py                 what differs between the pages and the list; 1 if anything does
    python scripts/list_benchmarks.py --write --commit abc1234 --date 2026-11-29 --machine "2 cores" --command "..."

Figures in tables of the pages are read from the pages: with ``--write`` new and changed ones get what is given here,
the others keep what they have, and those that are gone go. Rows whose column is ``text`` are written by hand: their
``row`` quotes the sentence that holds the value.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIST = ROOT / "docs" / "benchmarks.csv"
PAGES = ("docs/performance.md", "docs/memory.md", "docs/sizes.md")
"""Pages whose tables hold nothing but figures; those of other pages (README.md) are quoted as text."""

TEXT = "text"

LABELS = {("width, layers", ""): 2, ("seeds", "examples x tokens of a step"): 2, ("backbone", "variant"): 2}
"""First two headers of a table -> columns that name a row; one in every other table."""

NOT_FIGURES = {"goal", "batch"}

_FIGURE = re.compile(r"([+-]?\d[\d,]*(?:\.\d+)?)\s*(ms|s|x|MiB|GiB|M|%)?(?![\w.])")


class Figure(NamedTuple):
    """One published number.

    Attributes:
        page: file that publishes it, from the root.
        section: heading above it.
        row: name of the row; of a figure in text, a quotation.
        column: header, with the name of the side where a cell holds two.
        value: as printed.
        unit: as printed; empty for counts, scores and ratios of bytes.
        commit: that was measured; where the page does not say which, the one that published the figure.
        date: of that commit.
        machine: as far as it was noted.
        command: what printed it.
    """

    page: str
    section: str
    row: str
    column: str
    value: str
    unit: str
    commit: str = ""
    date: str = ""
    machine: str = ""
    command: str = ""

    @property
    def published(self) -> tuple[str, ...]:
        """Without where it comes from."""
        return tuple(self[:6])


def tables(page: str) -> Iterator[Figure]:
    """Figures of all tables of a page, in order."""
    section = ""
    header: list[str] = []
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            header = []
        elif not header:
            header = cells
        elif not set(line) <= set("|-: "):
            labels = LABELS.get((header[0], header[1]), 1)
            row, compared = ", ".join(cells[:labels]), ""
            for column, cell in zip(header[labels:], cells[labels:], strict=True):
                title = f"{compared}: ratio" if column == "ratio" else column
                compared = column.partition(": ")[0]
                if column not in NOT_FIGURES:
                    yield from _figures(page, section, row, title, cell)


def _figures(page: str, section: str, row: str, column: str, cell: str) -> Iterator[Figure]:
    """A cell holds one figure or two sides ``A / B unit``, and in brackets a share or one figure for each turn."""
    column = column.removesuffix(" (turns)")
    name, _, names = column.partition(": ") if " / " in column else (column, "", "")
    plain, _, bracketed = cell.partition("(")
    figures = _FIGURE.findall(plain)
    sides = names.split(" / ") if names else ["ours", "usual"]
    for index, (value, unit) in enumerate(figures):
        side = f"{name}: {sides[index]}" if len(figures) > 1 else name
        yield Figure(page, section, row, side, value, unit or figures[-1][1])
    for turn, (value, unit) in enumerate(_FIGURE.findall(bracketed), start=1):
        detail = "share" if unit == "%" else f"turn {turn}"
        yield Figure(page, section, row, f"{name}: {detail}", value, unit or figures[-1][1])


def read() -> list[Figure]:
    """The list as it is kept."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return [Figure(**row) for row in csv.DictReader(file)]


def differences(kept: Sequence[Figure]) -> list[str]:
    """What the pages say and the list does not, and the other way round; in words."""
    published = {figure.published for page in PAGES for figure in tables(page)}
    listed = {figure.published for figure in kept if figure.column != TEXT}
    lines = [f"not in {LIST.name}: {' | '.join(figure)}" for figure in sorted(published - listed)]
    lines += [f"no longer published: {' | '.join(figure)}" for figure in sorted(listed - published)]
    for figure in kept:
        if figure.column == TEXT:
            words = " ".join((ROOT / figure.page).read_text(encoding="utf-8").split())
            if figure.row not in words or figure.value not in figure.row:
                lines.append(f"{figure.page} does not say: {figure.row} ({figure.value})")
    return lines


def updated(kept: Sequence[Figure], *, commit: str, date: str, machine: str, command: str) -> list[Figure]:
    """The list after a new measurement."""
    known = {figure.published: figure for figure in kept}
    fresh = {"commit": commit, "date": date, "machine": machine, "command": command}
    now = [
        known.get(figure.published) or figure._replace(**fresh)
        for page in PAGES
        for figure in dict.fromkeys(tables(page))
    ]
    return [*now, *(figure for figure in kept if figure.column == TEXT)]


def write(figures: Sequence[Figure]) -> None:
    """Replace the list."""
    with LIST.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Figure._fields)
        writer.writerows(figures)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="take new figures of the pages into the list")
    for name in ("commit", "date", "machine", "command"):
        parser.add_argument(f"--{name}", default="", help="of the new figures")
    arguments = parser.parse_args(argv)
    kept = read()
    if arguments.write:
        source = {name: getattr(arguments, name) for name in ("commit", "date", "machine", "command")}
        if not all(source.values()) and any(line.startswith("not in") for line in differences(kept)):
            parser.error("new figures need --commit, --date, --machine and --command")
        kept = updated(kept, **source)
        write(kept)
    lines = differences(kept)
    print("\n".join(lines) or f"{len(kept)} figures agree with the pages")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
