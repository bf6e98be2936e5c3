"""Composed Unicode (NFC) of what is tokenized, with the way back to the characters of the original.

The same word can be written with composed letters (NFC) or with letters and combining marks (NFD). Vocabularies are
made from composed text, and some fast tokenizers lose marks of the other form: XLM-R's drops the second of two marks
of one letter, so Yoruba loses its tones. Examples stay as they were published; only what a tokenizer reads is composed.

Source: Unicode Standard Annex 15.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from adapterxfer.data.examples import TaskData
from adapterxfer.data.files import OPENERS

COMPOSED_NOTE = "texts composed (Unicode NFC) before they are tokenized"
"""Name, among the notes of a reader, of the number of texts that composing changes."""

_SURROGATE_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed text.

    Attributes:
        text: in NFC.
        starts: where the pieces begin that composing changed, in ``text``; pieces between them are one to one.
        ends: where they end in ``text``.
        begins, stops: where they begin and end in the original.
    """

    text: str
    starts: Sequence[int] = ()
    ends: Sequence[int] = ()
    begins: Sequence[int] = ()
    stops: Sequence[int] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original (end excluded) behind characters ``start`` to ``end`` of the composed text.

        A span that touches a changed piece covers all of it: half a letter of the original would not be a text. An
        empty span stays empty.
        """
        if not self.starts:
            return start, end
        first = self._begin(start)
        return (first, first) if start >= end else (first, self._stop(end))

    def _begin(self, position: int) -> int:
        piece = bisect_right(self.starts, position) - 1
        if piece < 0:
            return position
        if position < self.ends[piece]:
            return self.begins[piece]
        return position - self.ends[piece] + self.stops[piece]

    def _stop(self, position: int) -> int:
        piece = bisect_left(self.starts, position) - 1  # the last one that begins before the end of the span
        if piece < 0:
            return position
        return self.stops[piece] + max(position - self.ends[piece], 0)


def is_composed(text: str) -> bool:
    """Whether composing leaves a text as it is."""
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def compose(text: str) -> str:
    """A text in NFC."""
    return text if is_composed(text) else unicodedata.normalize("NFC", text)


def compose_with_way_back(text: str) -> Composed:
    """A text in NFC that knows its original."""
    if is_composed(text):
        return Composed(text)
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    begins: list[int] = []
    stops: list[int] = []
    length = 0
    for begin, stop in _pieces(text):
        piece = text[begin:stop]
        changed = compose(piece)
        if changed != piece:
            starts.append(length)
            ends.append(length + len(changed))
            begins.append(begin)
            stops.append(stop)
        parts.append(changed)
        length += len(changed)
    return Composed("".join(parts), starts, ends, begins, stops)


def _pieces(text: str) -> Iterable[tuple[int, int]]:
    """Borders of the pieces that are composed each for itself: nothing composes or changes places across them."""
    begin = 0
    for position in range(1, len(text)):
        if _begins_piece(text[position]):
            yield begin, position
            begin = position
    if text:
        yield begin, len(text)


@cache
def _begins_piece(character: str) -> bool:
    """Whether no character before this one can compose or change places with it."""
    if character.isascii():
        return True
    first = unicodedata.normalize("NFD", character)[0]
    return unicodedata.combining(first) == 0 and first not in _followers()


@cache
def _followers() -> frozenset[str]:
    """Characters that compose with what stands before them: last parts of canonical decompositions, and Hangul's."""
    jamo = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    # The range covers every plane that has decompositions of two characters; private planes have none.
    decompositions = (unicodedata.decomposition(chr(code)).split() for code in range(0xC0, 0x20000))
    return frozenset(jamo | {chr(int(d[1], 16)) for d in decompositions if len(d) == 2 and not d[0].startswith("<")})


def changes_of(text: str) -> Iterable[str]:
    """What composing changes in a text, as code points: ``U+0065 U+0301 > U+00E9``; a piece that recurs comes again."""
    made = compose_with_way_back(text)
    for start, end, begin, stop in zip(made.starts, made.ends, made.begins, made.stops, strict=True):
        yield f"{_code_points(text[begin:stop])} > {_code_points(made.text[start:end])}"


def _code_points(text: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in text)


def note_uncomposed(data: TaskData) -> None:
    """Add the number of texts that composing changes to the notes of a task; nothing where there is none."""
    changed = sum(count_uncomposed(examples)[0] for examples in data.splits.values())
    if changed:
        data.notes[COMPOSED_NOTE] = changed


def count_uncomposed(examples: Iterable[Any]) -> tuple[int, int]:
    """How many texts of examples composing changes, and how many texts there are.

    Texts are the fields that hold any, and each word of a tagged sentence is one; ids and labels are none.
    """
    changed = total = 0
    for example in examples:
        for text in texts_of(example):
            total += 1
            changed += not is_composed(text)
    return changed, total


_NO_TEXTS = frozenset({"example_id", "cluster_id", "language", "label", "tags", "answers", "answer_starts", "relevant"})
"""Fields whose values no tokenizer reads; answers are read as part of their context."""


def texts_of(example: Any) -> Iterable[str]:
    """All texts of an example record."""
    for field in fields(example):
        if field.name in _NO_TEXTS:
            continue
        value = getattr(example, field.name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from (text for text in value if isinstance(text, str))


BLOCK = 1 << 20
"""Bytes of a file that are looked at together."""


def holds_uncomposed(path: Path) -> bool:
    """Whether composing changes some text of a file, packed or not; False where it cannot be read.

    Characters that a JSON file spells as escapes count as well. All of the file is looked at, also columns that no
    reader uses: a file that is taken for changed without need costs a key, one that is overlooked would mix results.
    """
    try:
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            # In parts that end with a line, across which nothing is composed: some files do not fit into memory twice.
            return any(map(_changes, iter(lambda: file.read(BLOCK) + file.readline(), b"")))
    except (OSError, EOFError):
        return False  # whoever reads it for its examples says what is wrong


def _changes(lines: bytes) -> bool:
    escaped = b"\\u" in lines
    if lines.isascii() and not escaped:
        return False
    text = lines.decode("utf-8", errors="replace")
    if escaped:
        text = _ESCAPED.sub(_character, _SURROGATE_PAIR.sub(_pair, text))
    return not is_composed(text)


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _pair(match: re.Match[str]) -> str:
    high, low = (int(group, 16) for group in match.groups())
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
