"""Predictions in the official layout, scored from there: the same points as from the prediction file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.data.examples import ChoiceExample, Example, PairExample, SpanExample, TaggingExample
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.metrics.submission import count_task
from adapterxfer.predict.official import write_submission
from adapterxfer.predict.table import read_predictions, write_predictions


def stage(folder: Path, task: str, metric: str, examples: list[Example], predictions: list[str]) -> Path:
    folder.mkdir(parents=True)
    metadata = {"stage_key": "k", "task": task, "format": "x", "protocol": "p"}
    write_predictions(folder, examples, predictions, METRICS[metric], metadata=metadata)
    return folder


def cases(language: str) -> dict[str, tuple[str, list[Example], list[str]]]:
    return {
        "xnli": (
            "accuracy",
            [PairExample(str(i), str(i // 3), language, "a", "b", "neutral") for i in range(6)],
            ["neutral", "entailment"] * 3,
        ),
        "udpos": (
            "chunk_f1",
            [TaggingExample(str(i), str(i), language, ("a", "b"), ("NOUN", "VERB")) for i in range(3)],
            ["NOUN VERB", "VERB VERB", "NOUN X"],
        ),
        "mlqa": (
            "mlqa_f1",
            [
                SpanExample(
                    example_id=str(i),
                    cluster_id=f"c{i // 2}",
                    language=language,
                    question="q",
                    context="one two",
                    answers=("one two",),
                    answer_starts=(0,),
                )
                for i in range(4)
            ],
            ["one two", "one", "die one", ""],
        ),
        "xcopa": (
            "accuracy",
            [
                ChoiceExample(
                    example_id=str(i),
                    cluster_id=str(i),
                    language=language,
                    context="c",
                    question="q",
                    choices=("a", "b"),
                    label=i % 2,
                )
                for i in range(4)
            ],
            ["0", "0", "0", "1"],
        ),
    }


@pytest.mark.parametrize("task", ["xnli", "udpos", "mlqa", "xcopa"])
def test_round_trip_gives_the_same_counts(tmp_path, task):
    table = BENCHMARKS["xtreme-r"]
    examples: list[Example] = []
    predictions: list[str] = []
    for language in sorted(table[task].languages):
        metric, found, predicted = cases(language)[task]
        examples, predictions = examples + found, predictions + predicted
    folder = stage(tmp_path / "stage", task, metric, examples, predictions)
    write_submission([folder], tmp_path / "labels", gold=True)
    write_submission([folder], tmp_path / "predictions")
    counted = count_task(table[task], tmp_path / "labels", tmp_path / "predictions")
    sums = read_predictions(folder).sums()
    for language in table[task].languages:
        assert counted[language].counts.sum(axis=0).tolist() == pytest.approx(sums[language].tolist())


def test_files_look_as_the_official_ones(tmp_path):
    metric, examples, predictions = cases("de")["udpos"]
    write_submission([stage(tmp_path / "a", "udpos", metric, examples, predictions)], tmp_path / "out")
    assert (tmp_path / "out/udpos/test-de.tsv").read_text() == "NOUN\nVERB\n\nVERB\nVERB\n\nNOUN\nX\n"
    metric, examples, predictions = cases("th")["xcopa"]
    write_submission([stage(tmp_path / "b", "xcopa", metric, examples, predictions)], tmp_path / "out")
    assert json.loads((tmp_path / "out/xcopa/test-th.jsonl").read_text().split("\n")[3]) == {"label": 1}


def test_tasks_outside_the_benchmarks_are_named(tmp_path):
    metric, examples, predictions = cases("de")["xnli"]
    folder = stage(tmp_path / "a", "world-xnli", metric, examples, predictions)
    with pytest.raises(DataError, match="world-xnli"):
        write_submission([folder], tmp_path / "out")
    other = stage(tmp_path / "b", "xnli", metric, examples, predictions)
    with pytest.raises(DataError, match="second stage"):
        write_submission([other, other], tmp_path / "out")
