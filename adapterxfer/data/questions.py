"""Questions about whole contexts: the official task of SQuAD 1.1 and 2.0, XQuAD, MLQA and TyDi QA GoldP.

Offsets count characters of the raw context, which is never stripped or normalised: some copies did so and kept the
offsets. Every answer is checked against its place; where it is not there, the nearest occurrence is taken and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.data.examples import Example, SpanExample
from adapterxfer.data.files import open_text
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.squad import answer_spans, numbered, tydiqa_prefix
from adapterxfer.errors import DataError

Notes = Counter[str]


def read_questions(
    paths: Sequence[Path], language: str, notes: Notes, *, unanswerable: bool = False, prefix: str = ""
) -> list[Example]:
    """Questions of files in SQuAD's format.

    Args:
        unanswerable: keep questions without answer (SQuAD 2.0); otherwise they are left out and counted.
        prefix: keep only ids that begin so, for files of several languages.

    Raises:
        DataError: the file is not in this format, or its answers were removed.
    """
    examples: list[Example] = []
    for path in paths:
        hidden = answered = empty = 0
        seen: Counter[str] = Counter()
        known: set[tuple[str, str, str]] = set()
        for cluster, context, question in _entries(path):
            name = str(question["id"])
            if not name.startswith(prefix):
                continue
            whole = (name, str(question["question"]), context)
            if whole in known:
                notes["repeated questions left out"] += 1
                continue
            known.add(whole)
            name = numbered(name, seen, notes)
            spans, without_text = answer_spans(context, question, notes, path=path)
            hidden += without_text
            if not spans and not (unanswerable and not question["answers"]):
                notes["questions without an answer left out"] += 1
                continue
            answered += bool(spans)
            empty += not spans
            examples.append(
                SpanExample(
                    example_id=name,
                    cluster_id=cluster,
                    language=language,
                    question=str(question["question"]),
                    context=context,
                    answers=tuple(text for _, text in spans),
                    answer_starts=tuple(start for start, _ in spans),
                )
            )
        if not answered:
            raise DataError(
                f"{path}: no question has an answer ({hidden} are empty): the gold was removed from this copy",
                fix="get the file with answers from the task's own site, or leave this task or language out",
            )
        if empty:
            notes["unanswerable questions"] += empty
    return examples


@equal_together
def read_answerable(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SQuAD 1.1, XQuAD and MLQA."""
    return read_questions(paths, language, notes)


@equal_together
def read_squad_v2(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SQuAD 2.0: questions without answers stay, plausible answers do not."""
    return read_questions(paths, language, notes, unanswerable=True)


@equal_together
def read_tydiqa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """TyDi QA GoldP: XTREME's files of one language, or the official ones of all, told apart by their ids."""
    return [
        example
        for path in paths
        for example in read_questions([path], language, notes, prefix=tydiqa_prefix(path, language))
    ]


def _entries(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Cluster (the paragraph), context and entry of every question."""
    with open_text(path) as file:
        try:
            articles = json.load(file)["data"]
            clusters: dict[str, str] = {}  # TyDi QA repeats a passage for each of its questions
            for article_number, article in enumerate(articles):
                for row, paragraph in enumerate(article["paragraphs"]):
                    context = paragraph["context"]
                    if not isinstance(context, str):
                        raise TypeError("a context is not text")
                    for question in paragraph["qas"]:
                        for key in ("id", "question", "answers"):
                            question[key]
                        yield clusters.setdefault(context, f"{article_number}/{row}"), context, question
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not in SQuAD's JSON format ({error!r})", fix="download the file again") from None
