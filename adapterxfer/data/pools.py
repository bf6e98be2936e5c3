"""Official files of the tasks that search a pool of candidates: BUCC 2018, LAReQA, Mewsli-X, and SQuAD's sentences.

A query names the ids of its right candidates; the pool is a split of its own. Nothing is sampled from a pool: a smaller
pool is an easier task.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from adapterxfer.data.bitext import read_lareqa
from adapterxfer.data.examples import CandidateExample, Example, RetrievalExample, SearchExample, SpanExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.questions import read_answerable
from adapterxfer.data.rows import read_tsv
from adapterxfer.data.squad import gold_sentence
from adapterxfer.errors import DataError

Notes = Counter[str]
Reader = Callable[[Sequence[Path], str, Notes], list[Example]]

POOL_OF_ALL = "all"
"""Language of a pool that all languages search."""

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


def read_bucc_queries(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Source sentences of BUCC with the ids of their translations: most have none.

    Raises:
        DataError: the gold file is absent (XTREME deletes it for the test part) or empty.
    """
    del notes
    by_end = {plain_name(path.name).rpartition(".")[2]: path for path in paths}
    if missing := {language, "gold"} - set(by_end):
        raise DataError(f"{paths[0]}: no .{min(missing)} file beside it", fix="use BUCC 2018's own archives")
    found: dict[str, list[str]] = {}
    for place, row in read_tsv(by_end["gold"], columns=("source", "target")):
        if not row["source"].startswith(language) or not row["target"].startswith("en"):
            raise DataError(
                f"{place}: {row['source']} {row['target']} are no ids of {language} and en", fix="get it again"
            )
        found.setdefault(str(row["source"]), []).append(str(row["target"]))
    if not found:
        raise DataError(f"{by_end['gold']}: no gold pair", fix="use BUCC 2018's own archives")
    made: list[Example] = [
        SearchExample(name, name, language, text, tuple(found.pop(name, ())))
        for name, text in _sentences(by_end[language])
    ]
    if found:
        raise DataError(f"{by_end['gold']}: {min(found)} is no sentence of {by_end[language]}", fix="get it again")
    return made


def read_bucc_pool(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """The English side of BUCC."""
    del notes
    return [CandidateExample(name, name, language, text) for path in paths for name, text in _sentences(path)]


def _sentences(path: Path) -> Iterable[tuple[str, str]]:
    return ((str(row["id"]), str(row["text"]).strip()) for _, row in read_tsv(path, columns=("id", "text")))


def read_lareqa_queries(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Questions of LAReQA with the candidate of their own language; `join_languages` adds the others."""
    pool = read_lareqa(paths[0], language, notes)
    return [
        SearchExample(name, name, language, question, (pool.gold[name],)) for name, question in pool.questions.items()
    ]


def read_lareqa_pool(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Candidate sentences of LAReQA, each followed by its paragraph without a separator, line breaks dropped."""
    pool = read_lareqa(paths[0], language, Counter())
    del notes  # counted with the questions of the same file
    return [
        CandidateExample(name, name, language, (sentence + context).replace("\n", ""))
        for name, (sentence, context) in pool.candidates.items()
    ]


def join_languages(queries: Mapping[str, Sequence[Example]]) -> dict[str, list[Example]]:
    """Queries of each language with the right candidates of the same question in all languages."""
    right: dict[str, list[str]] = {}
    for examples in queries.values():
        for example in _searches(examples):
            right.setdefault(example.example_id, []).extend(example.relevant)
    return {
        language: [replace(example, relevant=tuple(right[example.example_id])) for example in _searches(examples)]
        for language, examples in queries.items()
    }


def _searches(examples: Sequence[Example]) -> Iterable[SearchExample]:
    return (example for example in examples if isinstance(example, SearchExample))


def read_question_sentences(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SQuAD as retrieval: a question, and the sentence that holds its answer followed by the paragraph.

    Sentences are those of `gold_sentence`, not of XTREME's own splitter, so a few borders differ.
    """
    found = read_answerable(paths, language, notes)
    return [question_sentence(example) for example in found if isinstance(example, SpanExample)]


def question_sentence(example: SpanExample) -> RetrievalExample:
    """A question with the sentence of its first answer, followed by the paragraph without a separator."""
    context, start = example.context, example.answer_starts[0]
    left, right = gold_sentence(context, start, start + len(example.answers[0]))
    text = (context[left:right] + context).replace("\n", "")
    return RetrievalExample(example.example_id, example.cluster_id, example.language, example.question, text)


@_strict
def read_mewsli_mentions(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Mentions of Mewsli-X in one language, marked in their sentence, with the id of their entity.

    Raises:
        DataError: the entities were removed, as in XTREME's copy.
    """
    made: list[Example] = []
    for path in paths:
        hidden = 0
        for row in _objects(path):
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
                if not entity:
                    continue
                name = str(mention["example_id"])
                made.append(SearchExample(name, name, language, text, (entity,)))
        if hidden:
            raise DataError(
                f"{path}: {hidden} mentions have no entity: the labels were removed from this copy",
                fix="use the dev mentions, or labelled test files",
            )
    if not made:
        raise DataError(f"{paths[0]}: no mention in '{language}'", fix="leave the language out")
    return made


@_strict
def read_mewsli_pool(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """All candidate entities of Mewsli-X; their text is the description, not the title."""
    del notes
    made: list[Example] = []
    for path in paths:
        for row in _objects(path):
            name = str(row["entity_id"])
            made.append(CandidateExample(name, name, language, entity_text(row)))
    return made


@_strict
def read_mewsli_pairs(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Training pairs of Mewsli-X: a mention and the description of its entity; equal entities are a cluster."""
    made: list[Example] = []
    for path in paths:
        for number, row in enumerate(_objects(path)):
            pair = row["contextual_mention"]
            text = mention_text(pair["context"], pair["mention"]["mention_span"])
            if text is None:
                notes["mentions that cross a sentence left out"] += 1
                continue
            entity = str(row["entity"]["entity_id"])
            stem = plain_name(path.name).rpartition(".")[0]
            made.append(
                RetrievalExample(f"{stem}/{number}", f"{stem}/{entity}", language, text, entity_text(row["entity"]))
            )
    return made


def _objects(path: Path) -> Iterable[Any]:
    """Lines of a JSON file; a missing key becomes an error that names the line."""
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                yield _Fields(json.loads(line), place)
            except ValueError as error:
                raise DataError(f"{place}: not valid JSON ({error})", fix="download the file again") from None


class _Fields:
    """An object of a file whose missing keys are errors that name the place."""

    def __init__(self, value: Any, place: str) -> None:
        self._value, self._place = value, place

    def __getitem__(self, key: str) -> Any:
        if not isinstance(self._value, dict) or key not in self._value:
            raise DataError(f"{self._place}: no '{key}'; not Mewsli-X's layout", fix="use the official file")
        found = self._value[key]
        if isinstance(found, list):
            return [_Fields(entry, self._place) if isinstance(entry, dict) else entry for entry in found]
        return _Fields(found, self._place) if isinstance(found, dict) else found


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
    left, right = (_BRACES.sub(r"(\1)", part) for part in (text[first:start], text[end:last]))
    mention = text[start:end]
    return _tidy(f"{mention}: {left} {{ {mention} }} {right}")


def entity_text(entity: Any) -> str:
    """The description of an entity: its sentences joined by spaces."""
    description = str(entity["description"])
    return _tidy(" ".join(description[int(s["start"]) : int(s["end"])] for s in entity["sentence_spans"]))


def _tidy(text: str) -> str:
    # `splitlines` and the single replacement are XTREME's, also where they look arbitrary.
    return " ".join(text.splitlines()).replace("  ", " ").strip()
