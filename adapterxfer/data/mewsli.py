"""Mewsli-X: mentions in the news of eleven languages, and the entities of Wikidata that they mean, as JSON lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from adapterxfer.data.examples import CandidateExample, Example, RetrievalExample, SearchExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.repeats import equal_together
from adapterxfer.errors import DataError

Notes = Counter[str]
Reader = Callable[[Sequence[Path], str, Notes], list[Example]]

_BRACES = re.compile(r"\{(.*?)\}")


def _strict(read: Reader) -> Reader:
    """Turn surprises inside a row into an error that names the file."""

    @wraps(read)
    def checked(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
        try:
            return read(paths, language, notes)
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{paths[0]}: not Mewsli-X's layout ({error})", fix="use the official file") from None

    return checked


@equal_together
@_strict
def read_mewsli_mentions(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Mentions of Mewsli-X in one language, marked in their sentence, with the id of their entity.

    Raises:
        DataError: the entities were removed, as in XTREME's copy.
    """
    examples = [example for path in paths for example in mentions(_objects(path), language, notes, str(path))]
    if not examples:
        raise DataError(f"{paths[0]}: no mention in '{language}'", fix="leave the language out")
    return examples


def mentions(rows: Iterable[Any], language: str, notes: Notes, subject: str) -> list[Example]:
    """Mentions of one language among rows.

    Raises:
        DataError: the entities were removed; the message names ``subject``.
    """
    examples: list[Example] = []
    hidden = 0
    for row in rows:
        context = row["context"]
        if context["language"] != language:
            continue
        for mention in row["mentions"]:
            text = mention_text(context, mention["mention_span"])
            if text is None:
                notes["mentions that cross a sentence left out"] += 1
                continue
            entity = str(mention["entity_id"])
            hidden += not entity
            if entity:
                name = str(mention["example_id"])
                examples.append(SearchExample(name, name, language, text, (entity,)))
    if hidden:
        raise DataError(
            f"{subject}: {hidden} mentions have no entity: the labels were removed from this copy",
            fix="use the dev mentions, or labelled test files",
        )
    return examples


@equal_together
@_strict
def read_mewsli_pool(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """All candidate entities of Mewsli-X; their text is the description, not the title."""
    del notes
    return [example for path in paths for example in entities(_objects(path), language)]


def entities(rows: Iterable[Any], language: str) -> Iterator[Example]:
    """Candidate entities among rows; ``language`` is that of the pool."""
    for row in rows:
        name = str(row["entity_id"])
        yield CandidateExample(name, name, language, entity_text(row))


@equal_together
@_strict
def read_mewsli_pairs(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Training pairs of Mewsli-X: a mention and the description of its entity; equal entities are a cluster."""
    stems = [plain_name(path.name).rpartition(".")[0] for path in paths]
    return [
        example
        for path, stem in zip(paths, stems, strict=True)
        for example in pairs(_objects(path), stem, language, notes)
    ]


def pairs(rows: Iterable[Any], stem: str, language: str, notes: Notes) -> Iterator[Example]:
    """Training pairs among rows; their ids begin with ``stem``."""
    for number, row in enumerate(rows):
        pair = row["contextual_mention"]
        text = mention_text(pair["context"], pair["mention"]["mention_span"])
        if text is None:
            notes["mentions that cross a sentence left out"] += 1
            continue
        entity = str(row["entity"]["entity_id"])
        yield RetrievalExample(f"{stem}/{number}", f"{stem}/{entity}", language, text, entity_text(row["entity"]))


def _objects(path: Path) -> Iterator[Any]:
    with open_text(path) as lines:
        yield from parse_lines(lines, str(path))


def parse_lines(lines: Iterable[str], subject: str) -> Iterator[Any]:
    """Objects of JSON lines; a missing key becomes an error that names the line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _Fields(json.loads(line), f"{subject}:{number}")
        except ValueError as error:
            raise DataError(f"{subject}:{number}: not valid JSON ({error})", fix="download the file again") from None


class _Fields:
    """An object of a file whose missing keys are errors that name the place."""

    def __init__(self, value: Any, position: str) -> None:
        self._value, self._place = value, position

    def __getitem__(self, key: str) -> Any:
        if not isinstance(self._value, dict) or key not in self._value:
            raise DataError(f"{self._place}: no '{key}'; not Mewsli-X's layout", fix="use the official file")
        value = self._value[key]
        if isinstance(value, list):
            return [_Fields(item, self._place) if isinstance(item, dict) else item for item in value]
        return _Fields(value, self._place) if isinstance(value, dict) else value


def mention_text(context: Any, span: Any) -> str | None:
    """``MENTION: left { MENTION } right`` of the sentence with the mention; None if it crosses sentences.

    Braces of the text become parentheses; line breaks and doubled spaces go.

    Source: google-research/xtreme third_party/utils_mewslix.py, `preprocess_mention`.
    """
    text, start, end = str(context["text"]), int(span["start"]), int(span["end"])
    for sentence in context["sentence_spans"]:
        first, last = int(sentence["start"]), int(sentence["end"])
        if first <= start < last and first < end <= last:
            break
    else:
        return None
    left, right = (_BRACES.sub(r"(\1)", side) for side in (text[first:start], text[end:last]))
    mention = text[start:end]
    return _tidy(f"{mention}: {left} {{ {mention} }} {right}")


def entity_text(entity: Any) -> str:
    """The description of an entity: its sentences joined by spaces."""
    description = str(entity["description"])
    return _tidy(" ".join(description[int(s["start"]) : int(s["end"])] for s in entity["sentence_spans"]))


def _tidy(text: str) -> str:
    # `splitlines` and the single replacement are XTREME's, also where they look arbitrary.
    return " ".join(text.splitlines()).replace("  ", " ").strip()
