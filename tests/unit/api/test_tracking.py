"""Training logs for trackers: what a run becomes, what is written once, and the real libraries where they are there."""

from __future__ import annotations

import json
import sqlite3
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapterxfer.api import RunResult, tracking
from adapterxfer.api.tracking import TRACKERS, Curve, Tracking, read_curve
from adapterxfer.cli import run as command
from adapterxfer.cli.main import build_parser
from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


def stage(seed: int) -> Stage:
    """A training of a study."""
    settings = {"learning_rate": 0.001, "steps": 4, "selection": "last", "early_stopping": {"patience": 2}}
    return Stage(
        kind="train_target",
        version=1,
        identity={"task": "t", "settings": settings, "seed": seed},
        inputs={},
        slug=f"small-s{seed}",
        labels={"backbone": "small", "variant": "stack", "intermediate": "a", "target": "t", "seed": seed},
    )


def put(store: Store, seed: int, rows: list[dict[str, Any]], name: str = "train.jsonl") -> Stage:
    """The folder of a finished training with its log."""
    done = stage(seed)
    folder = store.root / done.kind / done.folder_name
    folder.mkdir(parents=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = {"last_loss": 1.25, "variant": "stack", "dev_score": None, "diverged": False, "steps": 4}
    (folder / "stage.json").write_text(json.dumps({"result": result}), encoding="utf-8")
    return done


ROWS = [{"step": 2, "steps": 4, "loss": 2.0, "learning_rate": 0.001}, {"step": 4, "steps": 4, "loss": 1.5},
        {"step": 4, "dev_score": 61.5}, {"warning": "no step"}]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> list[Curve]:
    """Curves that a tracker got, which goes by the name of a module that is always there."""
    curves: list[Curve] = []
    monkeypatch.setattr(tracking, "TRACKERS", {"json": lambda curve, _: curves.append(curve)})
    return curves


def test_a_training_becomes_a_run(store: Store) -> None:
    done = put(store, 1, ROWS)
    curve = read_curve(store.folder(done), done, "study")
    assert curve is not None
    assert curve.rows == (
        (2, {"loss": 2.0, "learning_rate": 0.001}), (4, {"loss": 1.5, "dev_score": 61.5}),
    )  # fmt: skip
    assert curve.name == f"small-s1-{done.short_key}"
    assert curve.summary == {"last_loss": 1.25, "steps": 4.0}
    assert curve.config["learning_rate"] == 0.001
    assert (curve.config["variant"], curve.config["target"], curve.config["seed"]) == ("stack", "t", 1)
    assert "early_stopping" not in curve.config  # one level deep


def test_a_stage_without_steps_is_no_run(store: Store) -> None:
    done = put(store, 1, [{"note": "prepared"}], name="log.jsonl")
    assert read_curve(store.folder(done), done, "study") is None


def test_every_run_is_written_once(store: Store, tmp_path: Path, got: list[Curve]) -> None:
    stages = [put(store, seed, ROWS) for seed in (1, 2)]
    first = Tracking("json", tmp_path / "track", store, "study")
    first(StageEvent("finished", stages[0]))
    first(StageEvent("started", stages[1]))
    first.finish([*stages, stage(3)])  # the third is not in the store
    assert (first.runs, first.problems) == (2, [])
    assert sorted(curve.name for curve in got) == sorted(f"{s.slug}-{s.short_key}" for s in stages)
    again = Tracking("json", tmp_path / "track", store, "study")
    again.finish([*stages, put(store, 3, ROWS)])
    assert again.runs == 1
    assert len(got) == 3


def test_a_tracker_that_fails_ends_tracking_and_nothing_else(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk is full")

    monkeypatch.setattr(tracking, "TRACKERS", {"json": fail})
    watcher = Tracking("json", tmp_path / "track", store, "study")
    watcher.finish([put(store, seed, ROWS) for seed in (1, 2)])
    assert len(watcher.problems) == 1
    assert "RuntimeError: disk is full" in watcher.problems[0]
    monkeypatch.setattr(command, "SHOWN", {"json": "show {folder}"})
    command._say_tracked(watcher, "track")
    shown = capsys.readouterr()
    assert "tracking ended early" in shown.err
    assert "0 new runs for json; show track/json" in shown.out


def test_what_is_not_there_is_refused_before_the_run(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AdapterxferError, match="expected tensorboard, wandb, trackio"):
        Tracking("mlflow", tmp_path, store, "study")
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match="extra 'wandb'"):
        Tracking("wandb", tmp_path, store, "study")
    assert build_parser("run").parse_args(["run", "r.yaml", "--track", "wandb"]).track_to == "track"


def test_the_command_tracks_what_it_ran_and_what_was_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], got: list[Curve]
) -> None:
    stages = [put(store, seed, ROWS) for seed in (1, 2)]

    def run(recipe: object, listener: Any, **_: object) -> RunResult:
        listener(StageEvent("finished", stages[0]))
        outcome = Outcome(
            finished=(stages[0].key,), reused=(), failed={}, blocked={}, folders={}, interrupted=0, seconds=1.0
        )
        plan = SimpleNamespace(stages={done.key: done for done in stages}, recipe=recipe)
        return RunResult(plan, outcome, None)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "SHOWN", {"json": "show {folder}"})
    arguments = build_parser("run").parse_args(["run", "quickstart", "--store", str(store.root)])
    arguments.track, arguments.track_to = "json", str(tmp_path / "track")
    assert command.execute(arguments) == 0
    assert [curve.name for curve in got] == [f"{done.slug}-{done.short_key}" for done in stages]
    assert {curve.group for curve in got} == {"quickstart"}
    assert "Track: 2 new runs for json; show" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tracker", TRACKERS)
def test_the_real_library(tracker: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec(tracker) is None:  # not imported here: Trackio reads where it writes when it is
        pytest.skip(f"{tracker} is not installed")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing may be sent
    watcher = Tracking(tracker, tmp_path / "track", store, "study")
    done = put(store, 1, ROWS)
    watcher(StageEvent("finished", done))
    watcher.finish([done])
    assert (watcher.problems, watcher.runs) == ([], 1)
    folder = tmp_path / "track" / tracker
    name = f"small-s1-{done.short_key}"
    if tracker == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util import tensor_util

        events = EventAccumulator(str(folder / "study" / name)).Reload()
        losses = [(row.step, float(tensor_util.make_ndarray(row.tensor_proto))) for row in events.Tensors("train/loss")]
        assert losses == [(2, 2.0), (4, 1.5)]
        assert {"train/dev_score", "result/last_loss"} <= set(events.Tags()["tensors"])
    elif tracker == "wandb":
        (record,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        words = (name.encode(), b"train/loss", b"result/last_loss")
        for _ in range(100):  # the library's own process writes the last lines a moment after a run is finished
            if all(word in record.read_bytes() for word in words):
                break
            time.sleep(0.1)
        assert all(word in record.read_bytes() for word in words)
    else:
        with sqlite3.connect(folder / "study.db") as database:
            rows = database.execute("select run_name, step, metrics from metrics order by step").fetchall()
        assert [(run, step) for run, step, _ in rows][:2] == [(name, 2), (name, 4)]
        assert json.loads(rows[0][2])["train/loss"] == 2.0
