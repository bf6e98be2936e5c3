"""The table of what the tokenizers of a study made of its test texts, by language: figures that explain low scores."""

from __future__ import annotations

from collections.abc import Sequence
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
    """The rows as a table; columns in which nothing happened stay out."""
    composed = any(row.composed for row in rows)
    marked = any(row.marked is not None for row in rows)
    columns = (
        Column("target"), Column("backbones"), Column("language"), Column("texts", "count"),
        Column("pieces per word", "nats"), Column("pieces per character", "nats"), Column("unknown pieces", "percent"),
        Column("cut texts", "percent"), Column("longest input", "count"),
        *((Column("composed texts", "percent"),) if composed else ()),
        *((Column("words with a word start", "percent"),) if marked else ()),
    )  # fmt: skip
    body: list[tuple[Value, ...]] = [
        (
            row.target, ", ".join(row.backbones), row.language, row.texts,
            row.pieces_per_word, row.pieces_per_character, row.unknown,
            row.cut, row.max_length,
            *((row.composed,) if composed else ()),
            *((row.marked,) if marked else ()),
        )
        for row in rows
    ]  # fmt: skip
    note = (
        "What the tokenizer makes of the test texts. Words are those of tagged sentences, else what stands between "
        "spaces (nothing for languages that write none). Unknown: pieces for characters that the vocabulary lacks. "
        "Cut: texts that lost their end, or are read in several windows, at the longest input in tokens."
    )
    if any(row.language == NOT_RECORDED for row in rows):
        note += " Not recorded: an earlier version made the predictions."
    if composed:
        note += " Composed: texts that were not in Unicode NFC, which vocabularies are made from."
    return Table("inputs", "Texts as the tokenizer reads them", note, columns, tuple(body), open=False)


def unmarked(rows: Sequence[InputRow]) -> list[str]:
    """Where words given to a tagger lack the mark of their beginning, a line for each target and tokenizer."""
    lines: dict[tuple[str, tuple[str, ...]], float] = {}
    for row in rows:
        if row.marked is not None and row.marked < NEEDED_SHARE:
            key = (row.target, row.backbones)
            lines[key] = min(row.marked, lines.get(key, 1.0))
    return [f"{target} on {', '.join(names)} (from {share:.0%})" for (target, names), share in lines.items()]
