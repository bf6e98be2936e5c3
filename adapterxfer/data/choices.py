"""Official files of multiple-choice tasks. Raw labels count from 0 or 1 or are letters; examples count from 0."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.catalog.families.choices import REPAIR_FROM
from adapterxfer.data.examples import ChoiceExample, Example
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.labelled import LabelledFile, line_of, require_examples
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import Placed, field, read_csv, read_jsonl, read_lines, read_tsv, refuse_hidden, text
from adapterxfer.errors import DataError

Notes = Counter[str]


def index_of(placed: Placed, raw: object, names: Sequence[str]) -> int:
    """0-based index of a raw label.

    Raises:
        DataError: it is not one of the names.
    """
    if str(raw) not in names:
        raise DataError(
            f"{placed[0]}: label {raw!r} is not one of: {', '.join(names)}", fix="use the official file with labels"
        )
    return list(names).index(str(raw))


def _choices(
    paths: Sequence[Path],
    language: str,
    notes: Notes,
    rows: Callable[[Path], list[Placed]],
    make: Callable[[Placed], tuple[str, str, str, list[str], object, Sequence[str]]],
) -> list[Example]:
    """Examples of all files; ``make`` gives id, context, question, choices, raw label and names of the labels."""
    examples: list[Example] = []
    for path in paths:
        file = LabelledFile(path, notes)
        for row in rows(path):
            name, context, question, choices, raw, names = make(row)
            if raw in (None, "", -1, "-1"):
                notes["examples without a gold label left out"] += 1
                continue
            label = index_of(row, raw, names)
            identifier = file.add(name, label)
            if len(choices) < 2 or not all(choice.strip() for choice in choices):
                notes["examples with an empty choice"] += 1
            # Without a context every example is a cluster of its own, by its id.
            cluster = file.clusters.of(context or identifier.partition("/")[2])
            examples.append(
                ChoiceExample(
                    example_id=identifier,
                    cluster_id=cluster,
                    language=language,
                    context=context,
                    question=question,
                    choices=tuple(choices),
                    label=label,
                )
            )
        file.close()
    return require_examples(examples, paths)


def _texts(row: Placed, names: Sequence[str]) -> list[str]:
    return [text(row, name) for name in names]


@equal_together
def read_hellaswag(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """HellaSwag: ``ctx_a`` is the context, each choice is ``ctx_b`` and an ending."""

    def make(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
        endings = field(row, "endings")
        if not isinstance(endings, list) or len(endings) != 4:
            raise DataError(f"{row[0]}: {endings!r} are not four endings", fix="download the file again")
        choices = [f"{text(row, 'ctx_b')} {ending}".strip() for ending in endings]
        return str(row[1].get("ind", line_of(row))), text(row, "ctx_a"), "", choices, row[1].get("label"), "0123"

    return _choices(paths, language, notes, read_jsonl, make)


@equal_together
def read_cosmosqa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """CosmosQA's CSV, whose texts hold commas, quotation marks and line breaks."""

    def make(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
        choices = _texts(row, ("answer0", "answer1", "answer2", "answer3"))
        return text(row, "id"), text(row, "context"), text(row, "question"), choices, field(row, "label"), "0123"

    rows = lambda path: read_jsonl(path) if plain_name(path.name).endswith(".jsonl") else read_csv(path)  # noqa: E731
    return _choices(paths, language, notes, rows, make)


@equal_together
def read_commonsenseqa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """CommonsenseQA: choices are labelled A to E and may stand in any order."""

    def make(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
        question = field(row, "question")
        try:
            choices = question["choices"]
            letters = [str(choice["label"]) for choice in choices]
            return (
                text(row, "id"), "", str(question["stem"]), [str(c["text"]) for c in choices], row[1].get("answerKey"),
                letters,
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise DataError(f"{row[0]}: not CommonsenseQA's layout ({error!r})", fix="use the official file") from None

    return _choices(paths, language, notes, read_jsonl, make)


@equal_together
def read_siqa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Social IQa: a file of questions and one of labels (1 to 3), or version 1.4 with ``correct`` (A to C)."""
    questions = [path for path in paths if plain_name(path.name).endswith(".jsonl")]
    labels = [path for path in paths if plain_name(path.name).endswith(".lst")]
    raw: list[str] = []
    if labels:
        raw = [line.strip() for line in read_lines(labels[0]) if line.strip()]
        rows = read_jsonl(questions[0])
        if len(rows) != len(raw):
            raise DataError(
                f"{labels[0]}: {len(raw)} labels for {len(rows)} questions of {questions[0]}", fix="download both again"
            )

    def make(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
        choices = _texts(row, ("answerA", "answerB", "answerC"))
        if "correct" in row[1]:
            return line_of(row), text(row, "context"), text(row, "question"), choices, row[1]["correct"], "ABC"
        if not raw:
            raise DataError(f"{row[0]}: no labels", fix="put the file of labels (-labels.lst) beside it")
        return line_of(row), text(row, "context"), text(row, "question"), choices, next(values), "123"

    values = iter(raw)
    return _choices(questions, language, notes, read_jsonl, make)


@equal_together
def read_copa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """English COPA of SuperGLUE; the question becomes "What was the cause?" or "What was the effect?"."""
    return _choices(paths, language, notes, read_jsonl, _copa)


def copa_question(kind: str) -> str:
    """The official prompt, English in every language."""
    return f"What was the {kind}?"


def _copa(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
    kind = text(row, "question")
    if kind not in ("cause", "effect"):
        raise DataError(f"{row[0]}: question {kind!r}; expected cause or effect", fix="download the file again")
    name = str(row[1].get("idx", line_of(row)))
    return (
        name,
        text(row, "premise"),
        copa_question(kind),
        _texts(row, ("choice1", "choice2")),
        row[1].get("label"),
        "01",
    )


@equal_together
def read_xcopa(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """XCOPA; where the Estonian file is among the paths, its questions replace those of this language by ``idx``.

    Premises are translations of the same items, so ``idx`` is example and cluster in every language.
    """
    translated = [path for path in paths if not _is_reference(path)] or list(paths)
    kinds: dict[str, str] = {}
    for path in paths:
        if _is_reference(path):
            kinds |= {str(field(row, "idx")): text(row, "question") for row in read_jsonl(path)}
    examples: list[Example] = []
    for path in translated:
        labels = []
        for row in read_jsonl(path):
            name, premise, question, choices, raw, names = _copa(row)
            if name in kinds and copa_question(kinds[name]) != question:
                notes[f"questions repaired from '{REPAIR_FROM}'"] += 1
                question = copa_question(kinds[name])
            label = index_of(row, raw, names)
            labels.append(label)
            examples.append(
                ChoiceExample(
                    example_id=name,
                    cluster_id=name,
                    language=language,
                    context=premise,
                    question=question,
                    choices=tuple(choices),
                    label=label,
                )
            )
        refuse_hidden(path, labels)
    return examples


def _is_reference(path: Path) -> bool:
    return f".{REPAIR_FROM}." in path.name


@equal_together
def read_race(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """RACE: one JSON object per text file, several questions each."""
    examples: list[Example] = []
    for path in paths:
        with open_text(path) as file:
            try:
                content: dict[str, Any] = json.load(file)
                name, article = f"{path.parent.name}/{content['id']}", str(content["article"])
                entries = zip(content["questions"], content["options"], content["answers"], strict=True)
                for number, (question, options, answer) in enumerate(entries):
                    placed = (f"{path}", content)
                    label = index_of(placed, answer, "ABCD"[: len(options)])
                    examples.append(
                        ChoiceExample(
                            example_id=f"{name}-{number}",
                            cluster_id=name,
                            language=language,
                            context=article,
                            question=question,
                            choices=tuple(options),
                            label=label,
                        )
                    )
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: not RACE's layout ({error!r})", fix="download the file again") from None
    notes["articles"] += len(paths)
    return examples


@equal_together
def read_winogrande(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """WinoGrande: the sentence up to the blank is the context, each choice is an option and the rest."""

    def make(row: Placed) -> tuple[str, str, str, list[str], object, Sequence[str]]:
        sentence = text(row, "sentence")
        before, blank, after = sentence.partition("_")
        if not blank:
            raise DataError(f"{row[0]}: no '_' in the sentence", fix="download the file again")
        choices = [f"{option}{after}" for option in _texts(row, ("option1", "option2"))]
        return str(row[1].get("qID", line_of(row))), before.rstrip(), "", choices, row[1].get("answer"), "12"

    return _choices(paths, language, notes, read_jsonl, make)


@equal_together
def read_xstorycloze(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """XStoryCloze: four sentences and two endings; answers count from 1. Stories are parallel over languages."""
    del notes
    examples: list[Example] = []
    for path in paths:
        for row in read_tsv(path):
            name = text(row, "InputStoryid", "story_id")
            story = " ".join(_texts(row, [f"InputSentence{number}" for number in (1, 2, 3, 4)]))
            choices = _texts(row, ("RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"))
            label = index_of(row, field(row, "AnswerRightEnding"), "12")
            examples.append(
                ChoiceExample(
                    example_id=name,
                    cluster_id=name,
                    language=language,
                    context=story,
                    question="",
                    choices=tuple(choices),
                    label=label,
                )
            )
    return examples


@equal_together
def read_belebele(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Belebele: answers count from 1, as text. Passage and question number are the same in every language."""
    del notes
    examples: list[Example] = []
    for path in paths:
        labels = []
        for row in read_jsonl(path):
            link = text(row, "link")
            choices = _texts(row, [f"mc_answer{number}" for number in (1, 2, 3, 4)])
            label = index_of(row, field(row, "correct_answer_num"), "1234")
            labels.append(label)
            name = f"{link}#{field(row, 'question_number')}"
            examples.append(
                ChoiceExample(
                    example_id=name,
                    cluster_id=link,
                    language=language,
                    context=text(row, "flores_passage"),
                    question=text(row, "question"),
                    choices=tuple(choices),
                    label=label,
                )
            )
        refuse_hidden(path, labels)
    return examples
