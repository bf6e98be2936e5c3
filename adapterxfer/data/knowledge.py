"""Official files of translated knowledge questions: four choices and the letter of the right one, no context."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.data.choices import index_of
from adapterxfer.data.examples import ChoiceExample, Example
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import Placed, field, read_csv, refuse_hidden, text
from adapterxfer.errors import DataError

Notes = Counter[str]

LETTERS = "ABCD"


def listed_choices(cell: str, position: str) -> list[str]:
    """The choices in a cell that holds them as a list in Python's notation.

    Raises:
        DataError: it holds something else.
    """
    try:
        choices = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        choices = None
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(c, str | int | float) for c in choices):
        raise DataError(
            f"{position}: choices {cell[:80]!r} are not a list of at least two", fix="download the file again"
        )
    return [str(choice) for choice in choices]


@equal_together
def read_afrimmlu(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """AfriMMLU: row i is the same question in every language; its columns stand between tabs and are quoted."""
    del notes
    examples: list[Example] = []
    for path in paths:
        rows = read_csv(path, delimiter="\t")
        examples += [
            _question(number, row, language, listed_choices(text(row, "choices"), row[0]))
            for number, row in enumerate(rows)
        ]
        refuse_hidden(path, [row[1]["answer"] for row in rows])
    return examples


@equal_together
def read_global_mmlu(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Global-MMLU-Lite, as the Hub keeps it."""
    del notes
    examples: list[Example] = []
    for path in paths:
        rows = _read_parquet(path)
        for number, row in enumerate(rows):
            choices = [text(row, f"option_{letter.lower()}") for letter in LETTERS]
            examples.append(_question(number, row, language, choices))
        refuse_hidden(path, [row[1]["answer"] for row in rows])
    return examples


def _question(number: int, row: Placed, language: str, choices: list[str]) -> ChoiceExample:
    label = index_of(row, field(row, "answer"), LETTERS[: len(choices)])
    return ChoiceExample(
        example_id=str(number),
        cluster_id=str(number),
        language=language,
        context="",
        question=text(row, "question"),
        choices=tuple(choices),
        label=label,
    )


def _read_parquet(path: Path) -> list[Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="download the file again") from None
    return [(f"{path}:{number}", row) for number, row in enumerate(rows, start=1)]
