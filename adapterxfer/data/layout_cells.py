"""Cells of a row in a described layout as the fields of an example.

A cell of text is one value. Lists are lists of JSON, of Python as table writers print them, or texts cut at a declared
``separator``; answers may also be objects with ``text`` and ``answer_start``, as SQuAD's copies on the Hub have them.
Whatever else stands in a cell is refused by its line: a guess would change the gold without a word.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from adapterxfer.data.classification import NO_GOLD
from adapterxfer.data.rows import Placed
from adapterxfer.errors import DataError

if TYPE_CHECKING:
    from adapterxfer.data.layout_reading import Layout

Answer = tuple[str, int | None]
"""Text, and its first character where the data say it."""


class Cells:
    """Canonical fields of one row.

    Args:
        layout: says which column is what.
        row: place and cells.
        notes: counts that are added to.
    """

    def __init__(self, layout: Layout, row: Placed, notes: Counter[str]) -> None:
        self.layout, self.row, self.notes = layout, row, notes

    def refuse(self, text: str, fix: str) -> NoReturn:
        """Refuse the row.

        Raises:
            DataError: always; names the line.
        """
        raise DataError(f"{self.row[0]}: {text}", fix=fix)

    def get(self, field: str) -> Any:
        """Raw value of a field, a list of them where several columns make it up; None where the layout lacks it."""
        if field not in self.layout.columns:
            return None
        column = self.layout.columns[field]
        return [self._cell(name) for name in column] if isinstance(column, list) else self._cell(column)

    def _cell(self, column: object) -> Any:
        """Value of a column; ``a.b`` is key ``b`` of the object in column ``a`` where no column has the whole name."""
        cells, name = self.row[1], str(column)
        if name in cells:
            return cells[name]
        value: Any = cells
        for key in name.split("."):
            if not isinstance(value, Mapping) or key not in value:
                self.refuse(f"no column '{name}'; it has {', '.join(map(str, cells))}", "correct the layout")
            value = value[key]
        return value

    def text(self, field: str) -> str:
        """A field that is one text; empty where the row has none.

        Raises:
            DataError: the cell holds a list or an object.
        """
        return self._plain(field, self.get(field))

    def _plain(self, field: str, value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str | int | float):
            self.refuse(f"{field} is {_shown(value)}; expected one text", "name a column that holds text")
        text = str(value)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                self.refuse(f"{field} holds half a character ({_shown(text)})", "write the file again as UTF-8")
        return text

    def name(self) -> str:
        """The id: that of the data, else file and line."""
        return self.text("id") or self.row[0].rpartition("/")[2]

    def items(self, field: str) -> list[str]:
        """A field that is a list of texts.

        Raises:
            DataError: the cell is no list.
        """
        value = self.get(field)
        if isinstance(value, str):
            value = self._list_of(field, value)
        if not isinstance(value, list | tuple):
            self.refuse(f"{field} is {_shown(value)}; expected a list", "name a column that holds a list")
        if unknown := [item for item in value if item is None or isinstance(item, bool | float | list | Mapping)]:
            self.refuse(f"{field} holds {_shown(unknown[0])}; expected texts", "name a column that holds texts")
        return [self._plain(field, item) for item in value]

    def _list_of(self, field: str, text: str) -> Sequence[object]:
        parsed = structure(text)
        if isinstance(parsed, list):
            return parsed
        separator = self.layout.separator or (" " if field in ("words", "tags") else "")
        if not separator:
            self.refuse(
                f"{field} is the text {_shown(text)}, no list",
                f"give 'separator', name several columns ({field}: [a, b]), or write lists of JSON",
            )
        pieces = text.split(separator)
        return [piece for piece in pieces if piece] if separator == " " else pieces

    def label(self, names: Sequence[str]) -> str | None:
        """Official name of the label; None where the row has no gold.

        Raises:
            DataError: it is none of the names.
        """
        raw = self.get("label")
        if isinstance(raw, list | Mapping):
            self.refuse(f"the label is {_shown(raw)}; expected one value", "name a column that holds one label")
        known = self.layout.labels
        if (name := known.get(str(raw))) is not None:
            return name
        if raw is None or str(raw) in NO_GOLD:
            self.notes["examples without a gold label left out"] += 1
            return None
        if str(raw) not in names:
            self.refuse(f"label {raw!r} is not one of: {', '.join(names)}", "map it with 'labels'")
        return str(raw)

    def tags(self, names: Sequence[str]) -> list[str]:
        """Official names of the tags of all words.

        Raises:
            DataError: one is none of the names.
        """
        raw = self.items("tags")
        tags = [self.layout.labels.get(tag, tag) for tag in raw]
        for before, after in zip(raw, tags, strict=True):
            if names and after not in names:
                self.refuse(
                    f"tag {before!r}; expected {' '.join(names)}",
                    "map it with 'labels': {raw: official, ...}, or a list of official names in the order of numbers",
                )
        return tags

    def answers(self, context: str) -> list[Answer]:
        """All accepted answers.

        Raises:
            DataError: the cells are in no known shape, or texts and starts differ in number.
        """
        answers = self._answers(self.get("answers"), context)
        if not answers or "answer_starts" not in self.layout.columns:
            return [(text, start) for text, start in answers if text]
        starts = self._starts(self.get("answer_starts"))
        if len(starts) != len(answers):
            self.refuse(f"{len(answers)} answers and {len(starts)} starts", "correct 'answers' or 'answer_starts'")
        return [(text, start) for (text, _), start in zip(answers, starts, strict=True) if text]

    def _answers(self, value: object, context: str) -> list[Answer]:
        if isinstance(value, str):
            return self._answers_of_text(value, context)
        if isinstance(value, list | tuple):
            # Texts inside a list are what they are: only a whole cell may be a list written as text.
            return [
                answer
                for item in value
                for answer in ([(item, None)] if isinstance(item, str) else self._answers(item, context))
            ]
        if isinstance(value, Mapping):
            return self._answers_of_object(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return [(str(value), None)]
        if value is not None:
            self.refuse(f"answers are {_shown(value)}", "expected a text, a list of texts, or {text, answer_start}")
        return []

    def _answers_of_text(self, text: str, context: str) -> list[Answer]:
        if not text.strip():
            return []
        if text in context:
            return [(text, None)]
        if text.lstrip()[0] in "[{":
            parsed = structure(text)
            if parsed is None:
                self.refuse(
                    f"the answer {_shown(text)} is neither in the context nor a list that can be read",
                    "write lists as JSON, or the answer as it stands in the context",
                )
            return self._answers(parsed, context)
        if self.layout.separator:
            return [(piece.strip(), None) for piece in text.split(self.layout.separator)]
        return [(text.strip(), None)]

    def _answers_of_object(self, value: Mapping[str, Any]) -> list[Answer]:
        texts, starts = value.get("text"), value.get("answer_start")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            self.refuse(
                f"answers are {_shown(value)}", "expected {text: ..., answer_start: ...}, or name the column as a.b"
            )
        if starts is None:
            return [(text, None) for text in texts]
        numbers = self._starts(starts)
        if len(numbers) != len(texts):
            self.refuse(f"{len(texts)} answers and {len(numbers)} starts", "repair the row")
        return list(zip(texts, numbers, strict=True))

    def _starts(self, value: object) -> list[int | None]:
        """Starts of answers; negative ones are how some copies say that they are unknown."""
        if isinstance(value, str):
            parsed = structure(value)
            value = parsed if isinstance(parsed, list) else value.split(self.layout.separator or None)
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        starts: list[int | None] = []
        for item in values:
            try:
                number = int(item) if isinstance(item, str | int) and not isinstance(item, bool) else None
            except ValueError:
                number = None
            if number is None:
                self.refuse(f"{_shown(item)} is no start of an answer", "expected whole numbers in 'answer_starts'")
            starts.append(number if number >= 0 else None)
        return starts


def structure(text: str) -> list[Any] | dict[str, Any] | None:
    """The list or object that a cell writes as JSON or as Python prints it; None where it is a text."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        try:
            parsed = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        # Python joins neighbouring strings: an array printed as ['a' 'b'] would be one answer.
        if repr(parsed) != text.strip():
            return None
    return parsed if isinstance(parsed, list | dict) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
