"""Files in SQuAD's JSON format (SQuAD, XQuAD, TyDi QA GoldP), reduced to the sentence that holds the answer.

The reduced task is easier than the official one and never carries its name. Offsets count characters (code points).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.catalog.families.qa import TYDIQA
from adapterxfer.data.examples import Example, SpanExample
from adapterxfer.data.files import open_text
from adapterxfer.data.repeats import equal_together
from adapterxfer.errors import DataError

MINIMUM_WORDS = 4
"""A shorter sentence is joined to its neighbour: most are abbreviations, and a lone answer would be no question."""

# A terminator, closing quotes or brackets and reference marks such as [8], then space; or one of the full-width
# terminators, which need no space; or a line break.
_BREAK = re.compile(
    r"[.!?\u0964\u0965\u061f\u06d4\u2026][\"'\u201d\u2019\u00bb)\]]*(?:\[\d+\](?::\d+)?)*\s+|[\u3002\uff01\uff1f]|\n+"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[^\W\d_]|[^\W\d_]{1,3}\.(?:[^\W\d_]{1,3}))\.$|\b(?:St|Dr|Mr|Mrs|Ms|Prof|vs|No|ca|z\.B|Jr|Sr)\.$"
)


def read_squad(path: Path, language: str, notes: Counter[str], *, id_prefix: str = "") -> list[Example]:
    """Questions of a file with their gold sentence as context.

    Args:
        path: ``.json``, packed or not.
        language: stored in the examples.
        notes: counts of repaired and left-out questions are added.
        id_prefix: keep only questions whose id begins so (files that hold several languages).

    Raises:
        DataError: the file is not in this format, or its answers are hidden (empty), as in some released test files.
    """
    examples: list[Example] = []
    hidden = 0
    seen: Counter[str] = Counter()
    for cluster, context, question in _questions(path, id_prefix):
        name = numbered(str(question["id"]), seen, notes)
        spans, without_text = answer_spans(context, question, notes, path=path)
        hidden += without_text
        if not spans:
            notes["questions without an answer left out"] += 1
            continue
        first, last = gold_sentence(context, spans[0][0], spans[0][0] + len(spans[0][1]))
        inside = [(start, text) for start, text in spans if first <= start and start + len(text) <= last]
        notes["answers outside the gold sentence left out"] += len(spans) - len(inside)
        notes["contexts without a sentence break"] += (first, last) == (0, len(context.rstrip())) and len(context) > 400
        examples.append(
            SpanExample(
                example_id=name,
                cluster_id=cluster,
                language=language,
                question=question["question"].strip(),
                context=context[first:last],
                answers=tuple(text for _, text in inside),
                answer_starts=tuple(start - first for start, _ in inside),
            )
        )
    if hidden and not examples:
        raise DataError(
            f"{path}: all {hidden} answers are empty: the gold was removed from this copy",
            fix="get the file with answers from the task's own site, or leave this task or language out",
        )
    return examples


@equal_together
def read_gold_sentences(paths: Sequence[Path], language: str, notes: Counter[str]) -> list[Example]:
    """Questions of several files with their gold sentence as context."""
    return [example for path in paths for example in read_squad(path, language, notes)]


@equal_together
def read_tydiqa_gold_sentences(paths: Sequence[Path], language: str, notes: Counter[str]) -> list[Example]:
    """The same of TyDi QA GoldP, whose official files hold all languages."""
    return [
        example
        for path in paths
        for example in read_squad(path, language, notes, id_prefix=tydiqa_prefix(path, language))
    ]


def tydiqa_prefix(path: Path, language: str) -> str:
    """What ids of a language begin with in a file of TyDi QA.

    The official files hold all languages; those per language may number their ids otherwise, so nothing is asked there.
    """
    return f"{TYDIQA.code(language)}-" if path.name.startswith("tydiqa-goldp-v1.1") else ""


def _questions(path: Path, id_prefix: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Cluster (paragraph), context and entry of every question."""
    with open_text(path) as file:
        try:
            articles = json.load(file)["data"]
            clusters: dict[str, str] = {}  # TyDi QA repeats a passage for each of its questions
            for article_number, article in enumerate(articles):
                for row, paragraph in enumerate(article["paragraphs"]):
                    for question in paragraph["qas"]:
                        if str(question["id"]).startswith(id_prefix):
                            context = str(paragraph["context"])
                            yield clusters.setdefault(context, f"{article_number}/{row}"), context, question
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not in SQuAD's JSON format ({error!r})", fix="download the file again") from None


def numbered(name: str, seen: Counter[str], notes: Counter[str]) -> str:
    """An id that no earlier question of the file has: XTREME's TyDi QA training file numbers within passages."""
    seen[name] += 1
    if seen[name] == 1:
        return name
    notes["repeated ids numbered"] += 1
    return f"{name}#{seen[name]}"


def answer_spans(
    context: str, question: dict[str, Any], notes: Counter[str], *, path: Path
) -> tuple[list[tuple[int, str]], int]:
    """Start and text of every different answer of a question, repaired where the start is wrong.

    Returns:
        The spans, and how many answers are empty: their gold was removed.

    Raises:
        DataError: the answers are no list of objects with ``text`` and ``answer_start``.
    """
    spans: list[tuple[int, str]] = []
    hidden = 0
    for text, start in _stated(question, path):
        if not text.strip():
            hidden += 1
            continue
        offset = locate_answer(context, text, start)
        if offset is None:
            notes["answers not in their context left out"] += 1
            continue
        notes["answer offsets repaired"] += offset != start
        if (offset, text) not in spans:
            spans.append((offset, text))
    return spans, hidden


def _stated(question: dict[str, Any], path: Path) -> list[tuple[str, int]]:
    """Answers and starts as the file has them."""
    answers = question["answers"]
    try:
        if not isinstance(answers, list) or not all(isinstance(answer["text"], str | int) for answer in answers):
            raise TypeError
        return [(str(answer["text"]), int(answer["answer_start"])) for answer in answers]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{path}: question {question['id']!r} has the answers {str(answers)[:80]}",
            fix="expected a list of objects with text and answer_start: download the file again, or repair it",
        ) from None


def locate_answer(context: str, answer: str, start: int) -> int | None:
    """Where the answer is: at ``start``, else at the occurrence nearest to it, else nowhere."""
    if context[start : start + len(answer)] == answer:
        return start
    offsets = [match.start() for match in re.finditer(re.escape(answer), context)]
    return min(offsets, key=lambda offset: (abs(offset - start), offset)) if offsets else None


def gold_sentence(context: str, start: int, end: int) -> tuple[int, int]:
    """Borders of the sentence, or the joined sentences, around ``context[start:end]``, spaces trimmed.

    Breaks inside the span do not count, nor do those after an abbreviation, before a lower-case letter, or that would
    leave fewer than `MINIMUM_WORDS` words.
    """
    breaks = [0, *(offset for offset in _breaks(context) if not start < offset < end), len(context)]
    left = max(offset for offset in breaks if offset <= start)
    right = min(offset for offset in breaks if offset >= end)
    while len(context[left:right].split()) < MINIMUM_WORDS and (left, right) != (0, len(context)):
        if right < len(context):
            right = min(offset for offset in breaks if offset > right)
        else:
            left = max(offset for offset in breaks if offset < left)
    text = context[left:right]
    # Never trim into the answer: some answers begin or end with a space.
    left = min(left + len(text) - len(text.lstrip()), start)
    right = max(right - len(text) + len(text.rstrip()), end)
    return left, right


def _breaks(context: str) -> Iterator[int]:
    """Positions where a new sentence begins."""
    for match in _BREAK.finditer(context):
        position = match.end()
        following = context[position : position + 1]
        before = context[: match.start() + 1]
        if following.islower() or (before.endswith(".") and _ABBREVIATION.search(before[-12:])):
            continue
        yield position
