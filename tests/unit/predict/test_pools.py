"""Targets that search a pool: official files in, official layout out, by a model with a trained pooling head."""

from __future__ import annotations

import numpy as np
import pytest
from pool_files import IDENTITY, MADE, prepare, save_model

from adapterxfer.catalog import parts_of_task, tasks
from adapterxfer.data.files import list_files
from adapterxfer.data.official import find
from adapterxfer.data.original import read_original
from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.metrics.retrieval import average_precision
from adapterxfer.metrics.submission import count_task
from adapterxfer.predict.official import write_submission
from adapterxfer.predict.pools import rank
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.predict import execute
from adapterxfer.store.keys import Stage


@pytest.mark.parametrize("task", list(MADE))
def test_files_to_predictions_to_the_official_layout(tmp_path, backbone_folder, task):
    folder = prepare(task, tmp_path)
    trained = tasks()[task].trained
    system = {"kind": "trained"} if trained else {"kind": "backbone", "layer": "middle"}
    inputs = {"data": folder, "backbone": backbone_folder}
    if trained:
        inputs["model"] = save_model(tmp_path / "model", backbone_folder, task)
    identity = {"backbone": IDENTITY, "task": task, "protocol": tasks()[task].protocol, "system": system}
    stage = Stage(kind="predict", version=1, identity=identity, inputs={"data": "0" * 64})
    (tmp_path / "out").mkdir()
    summary = execute(
        StageContext(stage=stage, inputs=inputs, scratch=tmp_path / "out", log=lambda line: None, settings={})
    )
    found = read_predictions(tmp_path / "out")
    assert set(summary["scores"]) == set(MADE[task][1])
    assert max(summary["scores"].values()) > 0
    for gold in (True, False):
        write_submission([tmp_path / "out"], tmp_path / ("labels" if gold else "mine"), gold=gold)
    entry = next(table[task] for table in BENCHMARKS.values() if task in table)
    for code in found.languages:
        part = type(entry)(**{name: getattr(entry, name) for name in entry.__slots__} | {"languages": (code,)})
        counted = count_task(part, tmp_path / "labels", tmp_path / "mine")[code].counts.sum(axis=0)
        assert counted.tolist() == pytest.approx(found.sums()[code].tolist())
    control = Stage(
        kind="predict",
        version=1,
        identity=identity | {"system": {"kind": "control", "control": "embedding-layer"}},
        inputs={},
    )
    (tmp_path / "control").mkdir()
    execute(
        StageContext(stage=control, inputs=inputs, scratch=tmp_path / "control", log=lambda line: None, settings={})
    )
    assert read_predictions(tmp_path / "control").metadata["layer"] == 0


@pytest.mark.parametrize(
    ("task", "path", "change", "message"),
    [
        ("bucc2018", "bucc2018/de-en/de-en.training.gold", None, r"test de \(bucc2018\): missing, expected .*gold"),
        ("bucc2018", "bucc2018/de-en/de-en.sample.gold", "en-1\tde-1\n", "are no ids of de and en"),
        ("bucc2018", "bucc2018/de-en/de-en.training.gold", "de-99\ten-1\n", "de-99 is no sentence"),
        ("mewslix", "wikinews_mentions-test.jsonl", '{"context": 1}\n', "not Mewsli-X's layout"),
        ("mewslix", "candidate_set_entities.jsonl", '{"entity_id": "Q"}\n', "no 'description'"),
    ],
)
def test_damaged_pools_are_named(tmp_path, task, path, change, message):
    make, languages = MADE[task]
    make(tmp_path)
    if change is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_text(change)
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None}
    with pytest.raises(DataError, match=message):
        read_original(task, tmp_path, list_files(tmp_path), languages, seed=0, **sizes)


def test_needs_of_a_pool_are_found_by_language():
    needs = find("bucc2018", [], ["de", "ru"])
    assert {(need.role, need.language) for need in needs} == {
        (role, code) for role in ("test", "test-pool", "sample", "sample-pool") for code in ("de", "ru")
    }
    assert {need.language for need in find("mewslix", [], ["de"]) if need.role == "test-pool"} == {"all"}
    assert parts_of_task("lareqa").joint


def test_ranks_agree_with_sorting_everything():
    rng = np.random.default_rng(1)
    pool = rng.integers(-2, 3, (60, 4)).astype(np.float32)  # many ties
    queries = rng.integers(-2, 3, (30, 4)).astype(np.float32)
    expected = np.argsort(-(queries @ pool.T), axis=1, kind="stable")[:, :20]
    assert rank(queries, pool) == expected.tolist()
    assert len(rank(queries, pool[:5])[0]) == 5
    assert average_precision(expected[0].tolist(), {int(expected[0, 0])}) == 1.0
