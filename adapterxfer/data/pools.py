"""Official files of the tasks that search a pool of candidates: BUCC 2018, LAReQA, and SQuAD's sentences.

A query names the ids of its right candidates; the pool is a split of its own. Nothing is sampled from a pool: a smaller
pool is an easier task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapterxfer.data.bitext import read_lareqa
from adapterxfer.data.examples import CandidateExample, Example, RetrievalExample, SearchExample, SpanExample
from adapterxfer.data.files import plain_name
from adapterxfer.data.questions import read_questions
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import read_tsv
from adapterxfer.data.squad import gold_sentence
from adapterxfer.errors import DataError

Notes = Counter[str]
Reader = Callable[[Sequence[Path], str, Notes], list[Example]]


@equal_together
def read_bucc_queries(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Source sentences of BUCC with the ids of their translations: most have none.

    Raises:
        DataError: the gold file is absent (XTREME deletes it for the test part) or empty.
    """
    del notes
    by_end = {plain_name(path.name).rpartition(".")[2]: path for path in paths}
    if missing := {language, "gold"} - set(by_end):
        raise DataError(f"{paths[0]}: no .{min(missing)} file beside it", fix="use BUCC 2018's own archives")
    translations: dict[str, list[str]] = {}
    for position, row in read_tsv(by_end["gold"], columns=("source", "target")):
        if not row["source"].startswith(language) or not row["target"].startswith("en"):
            raise DataError(
                f"{position}: {row['source']} {row['target']} are no ids of {language} and en", fix="get it again"
            )
        translations.setdefault(str(row["source"]), []).append(str(row["target"]))
    if not translations:
        raise DataError(f"{by_end['gold']}: no gold pair", fix="use BUCC 2018's own archives")
    queries: list[Example] = [
        SearchExample(name, name, language, text, tuple(translations.pop(name, ())))
        for name, text in _sentences(by_end[language])
    ]
    if translations:
        raise DataError(
            f"{by_end['gold']}: {min(translations)} is no sentence of {by_end[language]}", fix="get it again"
        )
    return queries


@equal_together
def read_bucc_pool(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """The English side of BUCC."""
    del notes
    return [CandidateExample(name, name, language, text) for path in paths for name, text in _sentences(path)]


def _sentences(path: Path) -> Iterable[tuple[str, str]]:
    return ((str(row["id"]), str(row["text"]).strip()) for _, row in read_tsv(path, columns=("id", "text")))


@equal_together
def read_lareqa_queries(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Questions of LAReQA with the candidate of their own language; `join_languages` adds the others."""
    pool = read_lareqa(paths[0], language, notes)
    return [
        SearchExample(name, name, language, question, (pool.gold[name],)) for name, question in pool.questions.items()
    ]


@equal_together
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


@equal_together
def read_question_sentences(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SQuAD as retrieval: a question, and the sentence that holds its answer followed by the paragraph.

    Sentences are those of `gold_sentence`, not of XTREME's own splitter, so a few borders differ.
    """
    questions = read_questions(paths, language, notes)
    return [question_sentence(example) for example in questions if isinstance(example, SpanExample)]


def question_sentence(example: SpanExample) -> RetrievalExample:
    """A question with the sentence of its first answer, followed by the paragraph without a separator."""
    context, start = example.context, example.answer_starts[0]
    left, right = gold_sentence(context, start, start + len(example.answers[0]))
    text = (context[left:right] + context).replace("\n", "")
    return RetrievalExample(example.example_id, example.cluster_id, example.language, example.question, text)
