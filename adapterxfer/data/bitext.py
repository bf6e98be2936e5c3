"""Official files of the retrieval tasks: sentence pairs of Tatoeba, question and candidate pools of LAReQA."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.data.examples import Example, RetrievalExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import read_lines
from adapterxfer.errors import DataError

Notes = Counter[str]


@equal_together
def read_tatoeba(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Line i of one file is the translation of line i of the other.

    XTREME's copy has the English side sorted to hide the alignment; sorted English lines are refused.
    """
    english = [path for path in paths if plain_name(path.name).endswith(".eng")]
    foreign = [path for path in paths if path not in english]
    if len(english) != 1 or len(foreign) != 1:
        names = ", ".join(path.name for path in paths)
        raise DataError(
            f"{paths[0].parent}: {names}: not the two sides of one language pair",
            fix="give two files, such as tatoeba.deu-eng.deu and tatoeba.deu-eng.eng",
        )
    sides = [[line.strip() for line in read_lines(path)] for path in (foreign[0], english[0])]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{foreign[0]}: {len(sides[0])} lines; {english[0]} has {len(sides[1])}", fix="download both files again"
        )
    if len(sides[1]) > 50 and sides[1] == sorted(sides[1]):
        raise DataError(
            f"{english[0]}: the English lines are sorted, so line i is not the translation of line i",
            fix="use the files of the LASER project",
        )
    del notes
    return [
        RetrievalExample(str(row), str(row), language, text, translation)
        for row, (text, translation) in enumerate(zip(*sides, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class AnswerPool:
    """LAReQA in one language: questions, candidate sentences with their paragraphs, and the right candidate.

    Attributes:
        questions: id -> question.
        candidates: candidate id -> (sentence, paragraph).
        gold: question id -> candidate id.
    """

    questions: dict[str, str]
    candidates: dict[str, tuple[str, str]]
    gold: dict[str, str]


def read_lareqa(path: Path, language: str, notes: Notes) -> AnswerPool:
    """Sentences are cut at ``sentence_breaks``, not taken from ``sentences``, two of which differ from their place.

    Raises:
        DataError: the file has no sentence breaks (as on the Hub), or an answer lies in no sentence.
    """
    questions: dict[str, str] = {}
    candidates: dict[str, tuple[str, str]] = {}
    gold: dict[str, str] = {}
    with open_text(path) as file:
        try:
            for article_number, article in enumerate(json.load(file)["data"]):
                for row, paragraph in enumerate(article["paragraphs"]):
                    context, breaks = str(paragraph["context"]), paragraph["sentence_breaks"]
                    names = [f"{language}-{article_number}-{row}-{number}" for number in range(len(breaks))]
                    for name, (start, end), text in zip(names, breaks, paragraph["sentences"], strict=True):
                        notes["sentences that differ from their place"] += context[start:end] != text
                        candidates[name] = (context[start:end], context)
                    for question in paragraph["qas"]:
                        at = int(question["answers"][0]["answer_start"])
                        inside = [name for name, (start, end) in zip(names, breaks, strict=True) if start <= at < end]
                        if len(inside) != 1:
                            raise DataError(
                                f"{path}: answer of {question['id']} is in no sentence", fix="get the file again"
                            )
                        questions[str(question["id"])] = str(question["question"])
                        gold[str(question["id"])] = inside[0]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"{path}: not LAReQA's layout ({error!r})", fix="use xquad-r/LANG.json") from None
    return AnswerPool(questions, candidates, gold)
