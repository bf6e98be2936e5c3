"""The table of what the tokenizers of a study made of its test texts, by language: figures that explain low scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from adapterxfer.data.word_starts import NEEDED_SHARE
from adapterxfer.report.table_shape import Column, Table, Value

NOT_RECORDED = "not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """The test texts of one target in one language, as backbones with the same tokenizer read them.

    Attributes:
        backbones: whose counts these are; more than one where they are equal.
        language: code, or `NOT_RECORDED` where an earlier version made the predictions; all numbers are then None.
        texts: how many.
        max_length: tokens of the longest sequence, special tokens included.
        pieces_per_word: of the words of tagged sentences, else of what stands between spaces; None for languages that
            write no spaces.
        pieces_per_character: spaces left out.
        unknown: share of the pieces that stand for characters the vocabulary lacks.
        cut: share of the texts that lost their end, or were read in several windows.
        composed: share of the texts that were not in NFC, and were composed.
        marked: share of the words given to a tagger that begin with the mark of a word; None elsewhere, and where the
            vocabulary has no such mark.
    """

    target: str
    backbones: tuple[str, ...]
    language: str
    texts: int | None = None
    max_length: int | None = None
    pieces_per_word: float | None = None
    pieces_per_character: float | None = None
    unknown: float | None = None
    cut: float | None = None
    composed: float | None = None
    marked: float | None = None


def input_table(rows: Sequence[InputRow]) -> Table:
    """The rows as a table; what is the same in all of them is said in the note, to keep the page short."""
    names = {row.backbones for row in rows}
    longest = {row.max_length for row in rows} - {None}
    shown: list[tuple[Column, Callable[[InputRow], Value]]] = [(Column("target"), lambda row: row.target)]
    if len(names) > 1:
        shown.append((Column("backbones"), lambda row: ", ".join(row.backbones)))
    shown += [
        (Column("language"), lambda row: row.language),
        (Column("texts", "count"), lambda row: row.texts),
        (Column("pieces per word", "nats"), lambda row: row.pieces_per_word),
        (Column("pieces per character", "nats"), lambda row: row.pieces_per_character),
    ]
    notes = [
        "What the tokenizer makes of the test texts. Words are those of tagged sentences, else what stands between "
        "spaces (nothing for languages that write none)."
    ]
    if any(row.unknown for row in rows):
        shown.append((Column("unknown pieces", "percent"), lambda row: row.unknown))
        notes.append("Unknown: pieces for characters that the vocabulary lacks.")
    if any(row.cut for row in rows):
        shown.append((Column("cut texts", "percent"), lambda row: row.cut))
        notes.append("Cut: texts that lost their end, or are read in several windows.")
    if len(longest) > 1:
        shown.append((Column("longest input", "count"), lambda row: row.max_length))
    if any(row.composed for row in rows):
        shown.append((Column("composed texts", "percent"), lambda row: row.composed))
        notes.append("Composed: texts that were not in Unicode NFC, which vocabularies are made from.")
    if any(row.marked is not None for row in rows):
        shown.append((Column("words with a word start", "percent"), lambda row: row.marked))
    notes += _silent(rows, longest)
    columns = tuple(column for column, _ in shown)
    body = tuple(tuple(value(row) for _, value in shown) for row in rows)
    return Table("inputs", "Texts as the tokenizer reads them", " ".join(notes), columns, body, open=False)


def _silent(rows: Sequence[InputRow], longest: Collection[int | None]) -> list[str]:
    """What the columns do not say because it is the same everywhere."""
    notes = []
    known = [row for row in rows if row.language != NOT_RECORDED]
    none = [
        what
        for what, values in (
            ("no piece is unknown", [row.unknown for row in known]),
            ("no text is cut", [row.cut for row in known]),
        )
        if known and not any(values)
    ]
    if none:
        notes.append(f"In all rows {' and '.join(none)}.")
    if len(longest) == 1:
        notes.append(f"The longest input has {next(iter(longest))} tokens.")
    if len(known) < len(rows):
        notes.append("Not recorded: an earlier version made the predictions.")
    return notes


def unmarked(rows: Sequence[InputRow]) -> list[str]:
    """Where words given to a tagger lack the mark of their beginning, a line for each target and tokenizer."""
    lines: dict[tuple[str, tuple[str, ...]], float] = {}
    for row in rows:
        if row.marked is not None and row.marked < NEEDED_SHARE:
            key = (row.target, row.backbones)
            lines[key] = min(row.marked, lines.get(key, 1.0))
    return [f"{target} on {', '.join(names)} (from {share:.0%})" for (target, names), share in lines.items()]
