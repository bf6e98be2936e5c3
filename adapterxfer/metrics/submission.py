"""Files of a submission in XTREME's official layout, read strictly and turned into counts per example.

``labels/TASK/test-LANG.SUFFIX`` and ``predictions/TASK/test-LANG.SUFFIX`` correspond line by line, or by id. Whatever
does not fit is an error that names file and line: a score from misaligned files looks like a weak system.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import PREMISE_LINES, BenchmarkTask
from adapterxfer.metrics.chunks import count_chunks
from adapterxfer.metrics.registry import METRICS, count_predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLED_FROM = 20
"""Examples from which on equal labels everywhere mean that the labels were removed, as in XTREME's download folder."""

_REMOVED = "the labels were removed from this copy; get the test sets with labels, e.g. from the task's own site"


@dataclass(frozen=True, slots=True)
class LanguageCounts:
    """Counts of one language of one task.

    Attributes:
        counts: shape ``(examples, columns)`` with the columns of the task's metric.
        clusters: cluster of each example; the same name in two languages of a parallel task is the same cluster.
        missing: examples without prediction, which count as wrong.
    """

    counts: NDArray[np.float64]
    clusters: tuple[str, ...]
    missing: int = 0


def file_of(folder: Path, task: BenchmarkTask, language: str) -> Path:
    """Where the file of a task and language is."""
    return folder / task.name / f"test-{language}.{task.suffix}"


def count_task(
    task: BenchmarkTask, labels: Path, predictions: Path, *, allow_missing: bool = False
) -> dict[str, LanguageCounts]:
    """Counts of every language of a task.

    Args:
        labels: folder with the gold, one folder per task.
        predictions: folder of the same shape.
        allow_missing: count ids without prediction as wrong, as the official scripts do, instead of refusing.

    Raises:
        DataError: files are missing, damaged, misaligned or unlabelled; missing files are listed together.
    """
    absent = [
        str(path)
        for folder in (labels, predictions)
        for path in (file_of(folder, task, language) for language in task.languages)
        if not path.is_file()
    ]
    if absent:
        raise DataError(
            "\n".join([f"{task.name}: {len(absent)} files are missing", *(f"  {path}" for path in absent)]),
            fix=f"give all {len(task.languages)} languages of the task, or leave its folder out",
        )
    return {code: _count(task, code, labels, predictions, allow_missing) for code in task.languages}


def _count(task: BenchmarkTask, language: str, labels: Path, predictions: Path, allow: bool) -> LanguageCounts:
    gold, predicted = file_of(labels, task, language), file_of(predictions, task, language)
    match task.reader:
        case "tags":
            return _tags(task, gold, predicted)
        case "labels" | "choices":
            return _labels(task, gold, predicted)
        case "pairs":
            return _pairs(gold, predicted)
        case "answers":
            return _answers(task, language, gold, predicted, allow)
        case "ranked":
            return _ranked(task, gold, predicted, allow)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="expected UTF-8 text") from None
    return text


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path), object_pairs_hook=_unique)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error})", fix="write the file again") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key occurs twice")
    return made


def _lines(path: Path) -> list[str]:
    """Stripped lines without those that are empty at the end."""
    lines = [line.strip() for line in _read(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"{path}: empty", fix="write one line per example")
    return lines


def _check_values(path: Path, values: Mapping[str, int], allowed: Sequence[str], what: str) -> None:
    """Refuse values outside the official ones; ``values`` maps each to the line (from 0) where it occurs first."""
    for value, line in sorted(values.items(), key=lambda item: item[1]):
        if value in allowed:
            continue
        shown = value[:60]
        expected = " ".join(allowed)
        raise DataError(
            f"{path}:{line + 1}: {shown!r} is no {what}; expected {expected}",
            fix=f"one line holds the {what} alone, spelt as in the official data",
        )


def _first_lines(lines: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    if len(set(lines)) > 1000:  # never a label set: stop at the first surprise instead of listing all
        return {line: number for number, line in reversed(list(enumerate(lines)))}
    for value in set(lines):
        found[value] = lines.index(value)
    return found


def _labels(task: BenchmarkTask, gold: Path, predicted: Path) -> LanguageCounts:
    sides = []
    for path in (gold, predicted):
        lines = _lines(path)
        if task.reader == "choices":
            lines = [_choice(path, number, line) for number, line in enumerate(lines)]
        if task.values:
            _check_values(path, _first_lines(lines), task.values, "label")
        else:
            for number, line in enumerate(lines):
                if not line.isascii() or not line.isdigit():
                    raise DataError(
                        f"{path}:{number + 1}: {line[:60]!r} is no line number", fix="write the index of the sentence"
                    )
        sides.append(lines)
    if len(sides[0]) != len(sides[1]):
        raise DataError(f"{predicted}: {len(sides[1])} lines; {gold} has {len(sides[0])}", fix="one line per example")
    if len(sides[0]) >= LABELLED_FROM and len(set(sides[0])) == 1:
        raise DataError(f"{gold}: all {len(sides[0])} labels are {sides[0][0]!r}", fix=_REMOVED)
    counts = np.ones((len(sides[0]), 2))
    counts[:, 0] = np.array(sides[0]) == np.array(sides[1])
    width = PREMISE_LINES if task.cluster == "premise" else 1
    return LanguageCounts(counts, tuple(str(row // width) for row in range(len(counts))))


def _choice(path: Path, number: int, line: str) -> str:
    try:
        label = json.loads(line)["label"]
    except (ValueError, KeyError, TypeError):
        label = None
    if not isinstance(label, int) or isinstance(label, bool):
        raise DataError(f"{path}:{number + 1}: no whole number 'label'", fix='a line is an object such as {"label": 0}')
    return str(label)


class _Tagged(NamedTuple):
    codes: NDArray[np.int32]
    starts: NDArray[np.int64]
    names: dict[str, int]


def _read_tags(path: Path, allowed: Sequence[str]) -> _Tagged:
    lines = _read(path).split("\n")
    # Few different lines: each is stripped and looked up once.
    codes_of: dict[str, int] = {}
    names: dict[str, int] = {name: code for code, name in enumerate(allowed)}
    for line in set(lines):
        tag = line.strip()
        if tag and tag not in names:
            _check_values(path, {tag: lines.index(line)}, allowed, "tag")
        codes_of[line] = names[tag] if tag else -1
    codes = np.fromiter(map(codes_of.__getitem__, lines), dtype=np.int32, count=len(lines))
    words = codes >= 0
    first = words & np.concatenate(([True], ~words[:-1]))
    if not words.any():
        raise DataError(f"{path}: no tags", fix="write one tag per line, and an empty line after each sentence")
    starts = (np.cumsum(words) - 1)[first]
    return _Tagged(codes[words], starts.astype(np.int64), names)


def _tags(task: BenchmarkTask, gold: Path, predicted: Path) -> LanguageCounts:
    true, found = (_read_tags(path, task.values) for path in (gold, predicted))
    if len(true.starts) != len(found.starts) or len(true.codes) != len(found.codes):
        raise DataError(
            f"{predicted}: {len(found.codes)} tags in {len(found.starts)} sentences; {gold} has {len(true.codes)} in "
            f"{len(true.starts)}",
            fix="predict every word of every sentence; long sentences must be split, not cut",
        )
    if not np.array_equal(true.starts, found.starts):
        sentence = int(np.flatnonzero(true.starts != found.starts)[0])
        raise DataError(
            f"{predicted}: sentence {sentence} has another number of tags than in {gold}", fix="one tag per word"
        )
    if len(true.starts) >= LABELLED_FROM and (true.codes == true.codes[0]).all():
        raise DataError(f"{gold}: all {len(true.codes)} tags are equal", fix=_REMOVED)
    counts = count_chunks(found.codes, true.codes, task.values, true.starts)
    return LanguageCounts(counts.astype(np.float64), tuple(map(str, range(len(counts)))))


def _pairs(gold: Path, predicted: Path) -> LanguageCounts:
    """One row per pair of either side: its source sentence is the cluster."""
    sides = []
    for path in (gold, predicted):
        pairs = [tuple(line.split("\t")) for line in _lines(path)]
        for number, pair in enumerate(pairs):
            if len(pair) != 2 or not all(pair):
                raise DataError(f"{path}:{number + 1}: not two ids with a tab between them", fix="SOURCE<tab>TARGET")
        sides.append(set(pairs))
    true, found = sides
    every = sorted(true | found)
    known = {source for source, _ in true}
    if found and not any(source in known for source, _ in found):
        raise DataError(f"{predicted}: no source id occurs in {gold}", fix="write SOURCE<tab>ENGLISH in this order")
    rows = [(pair in true and pair in found, pair in found, pair in true) for pair in every]
    return LanguageCounts(np.array(rows, dtype=np.float64), tuple(pair[0] for pair in every))


def _predicted_by_id(path: Path, ids: Sequence[str], kind: type, allow: bool) -> tuple[dict[str, Any], int]:
    """Predictions by id, checked against the ids of the gold."""
    found = _json(path)
    if not isinstance(found, dict) or not all(isinstance(value, kind) for value in found.values()):
        raise DataError(f"{path}: not an object of id -> {kind.__name__}", fix="write the official layout")
    unknown = sorted(set(found) - set(ids))
    missing = [name for name in ids if name not in found]
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
    return found, len(missing)


def _answers(task: BenchmarkTask, language: str, gold: Path, predicted: Path, allow: bool) -> LanguageCounts:
    content = _json(gold)
    ids, answers, contexts = [], [], []
    try:
        for place, article in enumerate(content["data"] if isinstance(content, dict) else content):
            for row, paragraph in enumerate(article["paragraphs"]):
                for entry in paragraph["qas"]:
                    ids.append(str(entry["id"]))
                    answers.append([str(answer["text"]) for answer in entry["answers"]])
                    contexts.append(f"{place}/{row}")
    except (KeyError, TypeError) as error:
        raise DataError(f"{gold}: not in SQuAD's JSON format ({error!r})", fix="get the file again") from None
    if len(set(ids)) < len(ids):
        raise DataError(f"{gold}: an id occurs twice", fix="get the file again")
    if not any(text for texts in answers for text in texts):
        raise DataError(f"{gold}: all {len(ids)} answers are empty", fix=_REMOVED)
    found, missing = _predicted_by_id(predicted, ids, str, allow)
    golds = [json.dumps(texts) for texts in answers]
    predictions = [found.get(name, "") for name in ids]
    counts = count_predictions(METRICS[task.metric], predictions, golds, languages=[language] * len(ids))
    if missing:
        counts[[name not in found for name in ids], :2] = 0.0
    if task.by_id:  # paragraphs differ between languages, questions do not: see join_clusters
        contexts = [f"{language}:{context}\t{name}" for context, name in zip(contexts, ids, strict=True)]
    return LanguageCounts(counts, tuple(contexts), missing)


def _ranked(task: BenchmarkTask, gold: Path, predicted: Path, allow: bool) -> LanguageCounts:
    true = _json(gold)
    if not isinstance(true, dict) or not all(isinstance(value, list) for value in true.values()) or not true:
        raise DataError(f"{gold}: not an object of id -> list of right candidates", fix="get the file again")
    if not any(name for names in true.values() for name in names):
        raise DataError(f"{gold}: no query has a right candidate", fix=_REMOVED)
    found, missing = _predicted_by_id(predicted, list(true), list, allow)
    predictions = [json.dumps(found.get(name, [])) for name in true]
    counts = count_predictions(METRICS[task.metric], predictions, [json.dumps(names) for names in true.values()])
    return LanguageCounts(counts, tuple(true), missing)


def join_clusters(languages: Mapping[str, LanguageCounts]) -> dict[str, LanguageCounts]:
    """Join paragraphs that share a question in any language (MLQA): the connected parts become the clusters."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for entry in languages.values():
        for name in entry.clusters:
            context, _, question = name.partition("\t")
            if question:
                parent[root(context)] = root("?" + question)
    return {
        code: LanguageCounts(
            entry.counts,
            tuple(root(name.partition("\t")[0]) if "\t" in name else name for name in entry.clusters),
            entry.missing,
        )
        for code, entry in languages.items()
    }
