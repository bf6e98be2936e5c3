"""Predictions of a stage as files in the official layout of XTREME, ready to be submitted or scored by anybody.

``FOLDER/TASK/test-LANG.tsv`` holds one label or tag per line, ``.json`` answers by question id, ``.jsonl`` choices.
``FOLDER/submission.json`` declares the languages, which may be fewer than the benchmark's, and which lines belong
together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapterxfer.catalog import protocols_of
from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS, BenchmarkTask
from adapterxfer.metrics.submission_files import Declared, read_declaration, write_declaration
from adapterxfer.predict.table import Predictions, read_predictions


def write_submission(
    stages: Sequence[Path], folder: Path, *, gold: bool = False, clusters: Sequence[NDArray[np.object_]] = ()
) -> list[Path]:
    """Write one file per language of every stage; Tatoeba and the pools of candidates only as they were searched.

    Args:
        stages: folders of predict stages, one per task.
        folder: made if absent; one folder per task in it.
        gold: write the gold labels instead of the predictions, in the same layout.
        clusters: of the rows of each stage, as they are judged; those that are stored where absent.

    Returns:
        The files written.

    Raises:
        DataError: a task is in no benchmark, two stages are of the same task, or a task is evaluated in another
            direction than the official files hold (Tatoeba).
    """
    table = {**BENCHMARKS["xtreme"], **BENCHMARKS["xtreme-r"]}
    written: list[Path] = []
    seen: set[str] = set()
    declared = read_declaration(folder)
    for number, stage in enumerate(stages):
        predictions = read_predictions(stage)
        if clusters:
            predictions = replace(predictions, cluster_id=clusters[number])
        name = str(predictions.metadata["task"])
        if name not in table:
            raise DataError(f"{stage}: task '{name}' is in no benchmark", fix=f"tasks: {', '.join(table)}")
        if name in seen:
            raise DataError(f"{stage}: a second stage of task '{name}'", fix="give one system's stages")
        searched = table[name].indices
        if searched and searched not in str(predictions.metadata["protocol"]).split("/"):
            raise DataError(
                f"{stage}: sentences searched English here; the official files hold the search {searched}",
                fix=f"evaluate {name} with protocol {' or '.join(protocols_of(name))}, or leave it out of the "
                "submission",
            )
        seen.add(name)
        for index, language in enumerate(predictions.languages):
            path = folder / name / f"test-{language}.{table[name].suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_content(table[name], predictions, index, gold=gold), encoding="utf-8")
            written.append(path)
        declared[name] = Declared(predictions.languages, _clusters(table[name], predictions))
    write_declaration(folder, declared)
    return written


def _clusters(task: BenchmarkTask, predictions: Predictions) -> dict[str, tuple[str, ...]]:
    """Cluster of each line by language, where one has several lines; files with ids hold their clusters themselves."""
    if task.reader not in ("labels", "choices", "tags"):
        return {}
    clusters = {}
    for index, language in enumerate(predictions.languages):
        names = tuple(str(name) for name in predictions.cluster_id[predictions.language == index])
        clusters[language] = names
    repeated = any(len(set(names)) < len(names) for names in clusters.values())
    # Who scores tags cannot see the words, so it is said that none is repeated, too.
    return clusters if repeated or task.cluster == "premise" or task.reader == "tags" else {}


def _content(task: BenchmarkTask, predictions: Predictions, index: int, *, gold: bool) -> str:
    chosen = predictions.language == index
    values = [str(value) for value in (predictions.gold if gold else predictions.prediction)[chosen]]
    ids = [str(name) for name in predictions.example_id[chosen]]
    if task.reader == "answers":
        if not gold:
            return json.dumps(dict(zip(ids, values, strict=True)), ensure_ascii=False) + "\n"
        clusters = [str(name) for name in predictions.cluster_id[chosen]]
        paragraphs: dict[str, list[dict[str, object]]] = {}
        for name, cluster, value in zip(ids, clusters, values, strict=True):
            answers = [{"text": text, "answer_start": 0} for text in json.loads(value)]
            paragraphs.setdefault(cluster, []).append({"id": name, "question": "", "answers": answers})
        data = [{"title": "", "paragraphs": [{"context": "", "qas": qas} for qas in paragraphs.values()]}]
        return json.dumps({"version": "1.1", "data": data}, ensure_ascii=False) + "\n"
    if task.reader == "ranked":
        return json.dumps({name: json.loads(value) for name, value in zip(ids, values, strict=True)}) + "\n"
    if task.reader == "pairs":
        pairs = [(name, json.loads(value) if gold else [value]) for name, value in zip(ids, values, strict=True)]
        return "".join(f"{name}\t{other}\n" for name, others in pairs for other in others if other)
    if task.indices:
        places = {name: row for row, name in enumerate(ids)}
        return "".join(f"{places[value]}\n" for value in values)
    if task.reader == "choices":
        return "".join(json.dumps({"label": int(value)}) + "\n" for value in values)
    if task.reader == "tags":
        return "\n\n".join(value.replace(" ", "\n") for value in values) + "\n"
    return "".join(f"{value}\n" for value in values)
