"""Files of a submission in XTREME's official layout, read strictly and turned into counts per example.

``labels/TASK/test-LANG.SUFFIX`` and ``predictions/TASK/test-LANG.SUFFIX`` correspond line by line, or by id. Whatever
does not fit is an error that names file and line: a score from misaligned files looks like a weak system.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import PREMISE_LINES, BenchmarkTask
from adapterxfer.metrics.chunks import count_chunks
from adapterxfer.metrics.registry import METRICS, check_counts, count_predictions
from adapterxfer.metrics.submission_files import (
    DECLARATION,
    REMOVED,
    Declared,
    check_values,
    file_of,
    read_declaration,
    read_json,
    read_lines,
    read_text,
)
from adapterxfer.metrics.submission_labels import LABELLED_FROM, label_lines, premise_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LanguageCounts:
    """Counts of one language of one task.

    Attributes:
        counts: shape ``(examples, columns)`` with the columns of the task's metric.
        clusters: cluster of each example; the same name in two languages of a parallel task is the same cluster.
        missing: examples without prediction, which count as wrong.
        note: what a reader of the interval must know; empty for nothing.
    """

    counts: NDArray[np.float64]
    clusters: tuple[str, ...]
    missing: int = 0
    note: str = ""


def count_task(
    task: BenchmarkTask,
    labels: Path,
    predictions: Path,
    *,
    allow_missing: bool = False,
    languages: Sequence[str] = (),
) -> dict[str, LanguageCounts]:
    """Counts of every language of a task.

    Args:
        labels: folder with the gold, one folder per task.
        predictions: folder of the same shape.
        allow_missing: count ids without prediction as wrong, as the official scripts do, instead of refusing.
        languages: only these; all of the benchmark where empty.

    Raises:
        DataError: files are missing, damaged, misaligned or unlabelled, or counts are none of the metric; missing files
            are listed together.
    """
    chosen = tuple(languages) or task.languages
    absent = [
        str(path)
        for folder in (labels, predictions)
        for path in (file_of(folder, task, language) for language in chosen)
        if not path.is_file()
    ]
    if absent:
        raise DataError(
            "\n".join([f"{task.name}: {len(absent)} files are missing", *(f"  {path}" for path in absent)]),
            fix=f"give all {len(chosen)} languages of the task, leave its folder out, or declare a subset with "
            "--subset LANG,LANG; a subset has no average of the benchmark",
        )
    counted = {code: _count(task, code, labels, predictions, allow_missing) for code in chosen}
    for code, language in counted.items():
        check_counts(METRICS[task.metric], language.counts, where=str(file_of(predictions, task, code)))
    declared = read_declaration(labels).get(task.name) or read_declaration(predictions).get(task.name)
    if declared is not None and declared.clusters:
        return {code: _declared(task, code, language, declared, labels) for code, language in counted.items()}
    if task.cluster == "premise":
        return _by_premise(task, counted, labels)
    return counted


def _declared(
    task: BenchmarkTask, code: str, language: LanguageCounts, declared: Declared, labels: Path
) -> LanguageCounts:
    names = declared.clusters.get(code)
    if names is None:
        return language
    if len(names) != len(language.counts):
        raise DataError(
            f"{labels / DECLARATION}: {len(names)} clusters for {len(language.counts)} lines of {task.name} in {code}",
            fix="export labels and predictions again, from the same stages",
        )
    return replace(language, clusters=names)


def _by_premise(task: BenchmarkTask, counted: Mapping[str, LanguageCounts], labels: Path) -> dict[str, LanguageCounts]:
    """Clusters of three lines where these are whole premises in every language, else of one line, with a note."""
    premises = {code: premise_clusters(read_lines(file_of(labels, task, code))) for code in counted}
    broken = [code for code, clusters in premises.items() if clusters is None]
    note = (
        f"{task.name}: lines of {', '.join(broken[:3])} are no whole premises of {PREMISE_LINES} hypotheses, so each "
        "line is a cluster; where lines share a premise the intervals are too narrow"
    )
    if broken:
        return {code: replace(language, note=note) for code, language in counted.items()}
    return {code: replace(language, clusters=premises[code] or ()) for code, language in counted.items()}


def _count(task: BenchmarkTask, language: str, labels: Path, predictions: Path, allow: bool) -> LanguageCounts:
    gold, predicted = file_of(labels, task, language), file_of(predictions, task, language)
    match task.reader:
        case "tags":
            return _tags(task, gold, predicted)
        case "labels" | "choices":
            right, proposed = label_lines(task, gold, predicted)
            counts = np.ones((len(right), 2))
            counts[:, 0] = np.array(right) == np.array(proposed)
            return LanguageCounts(counts, tuple(map(str, range(len(right)))))
        case "pairs":
            return _pairs(gold, predicted)
        case "answers":
            return _answers(task, language, gold, predicted, allow)
        case "ranked":
            return _ranked(task, gold, predicted, allow)


class _Tagged(NamedTuple):
    codes: NDArray[np.int32]
    starts: NDArray[np.int64]
    names: dict[str, int]


def _read_tags(path: Path, allowed: Sequence[str]) -> _Tagged:
    lines = read_text(path).split("\n")
    # Few different lines: each is stripped and looked up once.
    codes_of: dict[str, int] = {}
    names: dict[str, int] = {name: code for code, name in enumerate(allowed)}
    for line in set(lines):
        tag = line.strip()
        if tag and tag not in names:
            check_values(path, {tag: lines.index(line)}, allowed, "tag")
        codes_of[line] = names[tag] if tag else -1
    codes = np.fromiter(map(codes_of.__getitem__, lines), dtype=np.int32, count=len(lines))
    words = codes >= 0
    first = words & np.concatenate(([True], ~words[:-1]))
    if not words.any():
        raise DataError(f"{path}: no tags", fix="write one tag per line, and an empty line after each sentence")
    starts = (np.cumsum(words) - 1)[first]
    return _Tagged(codes[words], starts.astype(np.int64), names)


def _tags(task: BenchmarkTask, gold: Path, predicted: Path) -> LanguageCounts:
    true, tagged = (_read_tags(path, task.values) for path in (gold, predicted))
    if len(true.starts) != len(tagged.starts) or len(true.codes) != len(tagged.codes):
        raise DataError(
            f"{predicted}: {len(tagged.codes)} tags in {len(tagged.starts)} sentences; {gold} has {len(true.codes)} in "
            f"{len(true.starts)}",
            fix="predict every word of every sentence; long sentences must be split, not cut",
        )
    if not np.array_equal(true.starts, tagged.starts):
        sentence = int(np.flatnonzero(true.starts != tagged.starts)[0])
        raise DataError(
            f"{predicted}: sentence {sentence} has another number of tags than in {gold}", fix="one tag per word"
        )
    if len(true.starts) >= LABELLED_FROM and (true.codes == true.codes[0]).all():
        raise DataError(f"{gold}: all {len(true.codes)} tags are equal", fix=REMOVED)
    counts = count_chunks(tagged.codes, true.codes, task.values, true.starts)
    return LanguageCounts(counts.astype(np.float64), tuple(map(str, range(len(counts)))))


def _pairs(gold: Path, predicted: Path) -> LanguageCounts:
    """One row per pair of either side: its source sentence is the cluster."""
    sides = []
    for path in (gold, predicted):
        pairs = [tuple(line.split("\t")) for line in read_lines(path)]
        for number, pair in enumerate(pairs):
            if len(pair) != 2 or not all(pair):
                raise DataError(f"{path}:{number + 1}: not two ids with a tab between them", fix="SOURCE<tab>TARGET")
        sides.append(set(pairs))
    true, proposed = sides
    every = sorted(true | proposed)
    known = {source for source, _ in true}
    if proposed and not any(source in known for source, _ in proposed):
        raise DataError(f"{predicted}: no source id occurs in {gold}", fix="write SOURCE<tab>ENGLISH in this order")
    rows = [(pair in true and pair in proposed, pair in proposed, pair in true) for pair in every]
    return LanguageCounts(np.array(rows, dtype=np.float64), tuple(pair[0] for pair in every))


def _predicted_by_id(path: Path, ids: Sequence[str], kind: type, allow: bool) -> tuple[dict[str, Any], int]:
    """Predictions by id, checked against the ids of the gold."""
    predictions = read_json(path)
    if not isinstance(predictions, dict) or not all(isinstance(value, kind) for value in predictions.values()):
        raise DataError(f"{path}: not an object of id -> {kind.__name__}", fix="write the official layout")
    unknown = sorted(set(predictions) - set(ids))
    missing = [name for name in ids if name not in predictions]
    if unknown:
        raise DataError(
            f"{path}: {len(unknown)} ids are not in the labels, e.g. {unknown[0]!r}",
            fix="check that the file belongs to this language and task",
        )
    if missing and not allow:
        raise DataError(
            f"{path}: {len(missing)} of {len(ids)} ids have no prediction, e.g. {missing[0]!r}",
            fix="predict them, or count them as wrong with --allow-missing",
        )
    return predictions, len(missing)


def _answers(task: BenchmarkTask, language: str, gold: Path, predicted: Path, allow: bool) -> LanguageCounts:
    content = read_json(gold)
    ids, answers, contexts = [], [], []
    try:
        for number, article in enumerate(content["data"] if isinstance(content, dict) else content):
            for row, paragraph in enumerate(article["paragraphs"]):
                for question in paragraph["qas"]:
                    ids.append(str(question["id"]))
                    answers.append([str(answer["text"]) for answer in question["answers"]])
                    contexts.append(f"{number}/{row}")
    except (KeyError, TypeError) as error:
        raise DataError(f"{gold}: not in SQuAD's JSON format ({error!r})", fix="get the file again") from None
    if len(set(ids)) < len(ids):
        raise DataError(f"{gold}: an id occurs twice", fix="get the file again")
    if not any(text for texts in answers for text in texts):
        raise DataError(f"{gold}: all {len(ids)} answers are empty", fix=REMOVED)
    proposed, missing = _predicted_by_id(predicted, ids, str, allow)
    golds = [json.dumps(texts) for texts in answers]
    predictions = [proposed.get(name, "") for name in ids]
    counts = count_predictions(METRICS[task.metric], predictions, golds, languages=[language] * len(ids))
    if missing:
        counts[[name not in proposed for name in ids], :2] = 0.0
    if task.by_id:  # paragraphs differ between languages, questions do not: see join_clusters
        contexts = [f"{language}:{context}\t{name}" for context, name in zip(contexts, ids, strict=True)]
    return LanguageCounts(counts, tuple(contexts), missing)


def _ranked(task: BenchmarkTask, gold: Path, predicted: Path, allow: bool) -> LanguageCounts:
    true = read_json(gold)
    if not isinstance(true, dict) or not all(isinstance(value, list) for value in true.values()) or not true:
        raise DataError(f"{gold}: not an object of id -> list of right candidates", fix="get the file again")
    if not any(name for names in true.values() for name in names):
        raise DataError(f"{gold}: no query has a right candidate", fix=REMOVED)
    proposed, missing = _predicted_by_id(predicted, list(true), list, allow)
    _check_candidates(predicted, proposed)
    predictions = [json.dumps(proposed.get(name, [])) for name in true]
    counts = count_predictions(METRICS[task.metric], predictions, [json.dumps(names) for names in true.values()])
    return LanguageCounts(counts, tuple(true), missing)


def _check_candidates(path: Path, ranked: Mapping[str, list[Any]]) -> None:
    """Candidates are ids in text, as in the labels: a number equals none of them and would silently count as wrong."""
    for query, candidates in ranked.items():
        odd = [candidate for candidate in candidates if not isinstance(candidate, str)]
        if odd:
            raise DataError(
                f"{path}: candidate {odd[0]!r:.60} of {query!r} is no text", fix="write the ids as in the labels"
            )


def join_clusters(languages: Mapping[str, LanguageCounts]) -> dict[str, LanguageCounts]:
    """Join paragraphs that share a question in any language (MLQA): the connected parts become the clusters."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for counted in languages.values():
        for name in counted.clusters:
            context, _, question = name.partition("\t")
            if question:
                parent[root(context)] = root("?" + question)
    return {
        code: LanguageCounts(
            counted.counts,
            tuple(root(name.partition("\t")[0]) if "\t" in name else name for name in counted.clusters),
            counted.missing,
            counted.note,
        )
        for code, counted in languages.items()
    }
