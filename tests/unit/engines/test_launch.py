"""A stage in several processes: the first one's files stay, errors and stops of any reach the one that waits."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, stage

from adapterxfer.engines.launch import command_for, processes_for
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import DataError, StageStopped
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Store(tmp_path / "store")
    made.open()
    return made


def run(store: Store, made: Stage, **more: Any) -> Any:
    return run_stage(made, store=store, settings={"processes": 2, "device": "cpu"}, registry=REGISTRY, **more)


def test_the_first_process_writes_and_all_compute(store: Store) -> None:
    lines: list[dict[str, Any]] = []
    end = run(store, stage("train_ranked", "both"), report=lambda line: lines.append(dict(line)))
    assert (end.folder / "value.txt").read_text() == "rank 0"
    assert store.read(end.folder).result == {"rank": 0, "world": 2, "threads": "1"}
    assert lines == [{"step": 1, "rank": 0}]
    assert json.loads((end.folder / "log.jsonl").read_text()) == lines[0]
    assert {path.name for path in end.folder.iterdir()} == {"value.txt", "log.jsonl", "stage.json"}


def test_an_error_of_any_process_is_the_stages(store: Store) -> None:
    with pytest.raises(DataError, match="rank 1: not there") as caught:
        run(store, stage("train_ranked", "bad", refuses=1))
    assert caught.value.fix == "put it there"
    assert store.completed() == {}


def test_a_stop_reaches_all_processes(store: Store) -> None:
    seen: list[float] = []

    def stop() -> bool:
        return bool(seen) and time.monotonic() - seen[0] > 0.5

    with pytest.raises(StageStopped, match="saved"):
        run(store, stage("train_ranked", "long", waits=True), stop=stop, report=lambda _: seen.append(time.monotonic()))
    assert store.completed() == {}


def test_how_many_processes() -> None:
    wide = Stage(kind="train_target", version=1, identity={}, inputs={}, resources={"gpus": 8})
    assert processes_for(wide, {"device": "cuda"}) == 8
    assert [processes_for(wide, settings) for settings in ({}, {"device": "cpu"}, {"device": "cuda:3"})] == [1, 1, 1]
    assert processes_for(Stage(kind="train_target", version=1, identity={}, inputs={}), {"device": "cuda"}) == 1
    assert (
        processes_for(
            Stage(kind="predict", version=1, identity={}, inputs={}, resources={"gpus": 8}), {"device": "cuda"}
        )
        == 1
    )
    words = command_for(8, "cuda", Path("request.json"))
    assert words[2] == "accelerate.commands.launch"
    assert words[words.index("--num_processes") + 1] == "8"
