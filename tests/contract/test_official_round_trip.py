"""Every task of the catalogue: official files in, checked examples, official submission out, the same score again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from official_files import ROWS, write_task

from adapterxfer.catalog import metric_of, protocols_of, task_specs, tasks
from adapterxfer.data.examples import EXAMPLE_TYPES, Example, SearchExample
from adapterxfer.data.files import list_files
from adapterxfer.data.gold import gold_text
from adapterxfer.data.original import read_original
from adapterxfer.data.storage import check_task
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.metrics.submission import count_task
from adapterxfer.predict.official import write_submission
from adapterxfer.predict.table import read_predictions, write_predictions

SUBMITTED = {name: task for table in BENCHMARKS.values() for name, task in table.items()}
WRITTEN = [name for name, task in tasks().items() if task.source in ("hub", "local")]
"""Tasks that `official_files` writes."""

OPTIONS = {"train_examples": None, "dev_examples": 5, "test_examples": None, "seed": 0}


def languages_of(name: str) -> tuple[str, ...]:
    """Two languages of a task, English among them where it is tested."""
    task = tasks()[name]
    if task.role == "intermediate":
        return ()
    first = ("en",) if "en" in task.languages else ()
    return (*first, *(code for code in task.languages if code != "en"))[:2]


def load(name: str, root: Path):
    languages = languages_of(name)
    write_task(root, name, languages)
    return read_original(name, root, list_files(root), languages, **OPTIONS)


@pytest.mark.parametrize("name", WRITTEN)
def test_examples_keep_the_contract(tmp_path, name):
    data = load(name, tmp_path)
    check_task(data)  # labels, offsets, unique ids, languages
    task, languages = tasks()[name], languages_of(name)
    assert (data.task, data.format) == (name, task.format)
    spec = task_specs()[name]
    if spec.parts.labels:
        assert data.labels == spec.parts.labels
    if task.trained:
        assert len(data.splits[("train", "en")]) >= 12
        assert data.splits[("dev", "en")]
        train = {(type(e), e.example_id) for e in data.splits[("train", "en")]}
        if not spec.parts.dev:
            assert not train & {(type(e), e.example_id) for e in data.splits[("dev", "en")]}
    assert data.languages("test") == languages
    for language in languages:
        assert len(data.splits[("test", language)]) == ROWS
    kind = SearchExample if spec.parts.pools else EXAMPLE_TYPES[task.format]
    assert {type(e) for code in languages for e in data.splits[("test", code)]} <= {kind}
    if len(languages) == 2 and spec.parts.test.clusters.parallel:
        first, second = ([(e.example_id, e.cluster_id) for e in data.splits[("test", code)]] for code in languages)
        assert first == second
    assert task.licence


def guesses(examples: list[Example], metric: str, rng: np.random.Generator) -> list[str]:
    """Predictions that are often right: the gold of an example, or of another one of the same shape."""
    golds = [gold_text(example) for example in examples]
    if metric == "map_at_20":
        return [json.dumps([["x"], [], ["x", "y"]][int(rng.integers(3))] + json.loads(gold)) for gold in golds]
    if metric == "mining_f1":
        return [rng.choice(["", "en-1", *json.loads(gold)]) for gold in golds]
    if metric.startswith(("qa", "mlqa")):
        return [rng.choice(["", "the answer 1", *json.loads(gold)]) for gold in golds]
    return [gold if rng.random() < 0.6 else golds[int(rng.integers(len(golds)))] for gold in golds]


@pytest.mark.parametrize("name", [name for name in SUBMITTED if name in WRITTEN])
def test_what_is_submitted_scores_as_in_the_study(tmp_path, name):
    chosen = protocols_of(name).get("xtreme")
    protocol = chosen.text if chosen else tasks()[name].protocol
    metric = METRICS[str(metric_of(name, protocol, tasks()[name].metric))]
    data = load(name, tmp_path / "data")
    examples = [e for code in languages_of(name) for e in data.splits[("test", code)]]
    predictions = [
        guess
        for code in languages_of(name)
        for guess in guesses(data.splits[("test", code)], metric.name, np.random.default_rng(len(code)))
    ]
    folder = tmp_path / "stage"
    folder.mkdir()
    metadata = {"stage_key": "k", "task": name, "format": data.format, "protocol": protocol}
    write_predictions(folder, examples, predictions, metric, metadata=metadata)
    write_submission([folder], tmp_path / "labels", gold=True)
    write_submission([folder], tmp_path / "mine")
    entry = dataclasses.replace(SUBMITTED[name], languages=languages_of(name))
    counted = count_task(entry, tmp_path / "labels", tmp_path / "mine")
    official = METRICS[entry.metric]
    for code, sums in read_predictions(folder).sums().items():
        score = float(metric.score(sums))
        assert 0 < score < 100
        again = float(official.score(counted[code].counts.sum(axis=0)))
        assert again == pytest.approx(score, abs=1e-9), (name, code)


def test_udpos_by_xtremes_protocol_round_trips(tmp_path):
    from official_files import dataset_files

    for split in ("train", "dev", "test"):
        for path, content in dataset_files("udpos", split, ("en", "de")).items():
            (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / path).write_text(content)
    protocol = protocols_of("udpos")["xtreme"]
    root = tmp_path / "data"
    data = read_original("udpos", root, list_files(root), ("en", "de"), protocol=protocol.text, **OPTIONS)
    check_task(data)
    examples = [e for code in ("en", "de") for e in data.splits[("test", code)]]
    predictions = guesses(examples, "chunk_f1", np.random.default_rng(0))
    folder = tmp_path / "stage"
    folder.mkdir()
    metadata = {"stage_key": "k", "task": "udpos", "format": "tagging", "protocol": protocol.text}
    write_predictions(folder, examples, predictions, METRICS["chunk_f1"], metadata=metadata)
    for gold in (True, False):
        write_submission([folder], tmp_path / str(gold), gold=gold)
    entry = dataclasses.replace(SUBMITTED["udpos"], languages=("en", "de"))
    counted = count_task(entry, tmp_path / "True", tmp_path / "False")
    for code, sums in read_predictions(folder).sums().items():
        assert counted[code].counts.sum(axis=0).tolist() == sums.tolist()


def test_tatoeba_searched_to_english_is_not_submitted(tmp_path):
    data = load("tatoeba", tmp_path / "data")
    examples = [e for code in languages_of("tatoeba") for e in data.splits[("test", code)]]
    folder = tmp_path / "stage"
    folder.mkdir()
    metadata = {"stage_key": "k", "task": "tatoeba", "format": "retrieval", "protocol": tasks()["tatoeba"].protocol}
    golds = [gold_text(example) for example in examples]
    write_predictions(folder, examples, golds, METRICS["retrieval_accuracy"], metadata=metadata)
    with pytest.raises(DataError, match="protocol xtreme"):
        write_submission([folder], tmp_path / "mine")
