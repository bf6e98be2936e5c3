"""The two displays of a run."""

from __future__ import annotations

import io
import time

import pytest

from adapterxfer.cli import console
from adapterxfer.cli.progress import BarProgress, PlainProgress
from adapterxfer.engines.events import StageEvent, describe
from adapterxfer.store.keys import Stage

LABELS = {
    "backbone": "nano", "variant": "stack", "adapter": "seq_bn/2", "intermediate": "nli", "target": "xnli", "seed": 1,
}  # fmt: skip
STAGE = Stage(kind="train_target", version=1, identity={}, inputs={}, slug="slug", labels=LABELS)


def test_describe() -> None:
    assert describe(STAGE) == "train_target nano stack nli>xnli seed 1"
    assert (
        describe(Stage(kind="prepare", version=1, identity={}, inputs={}, slug="nli", labels={"task": "nli"}))
        == "prepare nli"
    )
    control = {"variant": "control", "control": "majority", "intermediate": "none", "target": "xnli", "seed": 0}
    assert (
        describe(Stage(kind="predict", version=1, identity={}, inputs={}, slug="x", labels=control))
        == "predict control majority xnli"
    )


def test_plain_lines_count_and_name_failures(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress(total=9, done=4) as shown:
        shown(StageEvent("started", STAGE))
        shown(StageEvent("progress", STAGE, detail={"step": 1, "loss": 0.5}))
        shown(StageEvent("finished", STAGE, seconds=75.0))
        shown(StageEvent("failed", STAGE, detail={"error": "DataError", "what": "gone", "fix": "look"}))
        shown(StageEvent("retried", STAGE, detail={"cause": "signal 9"}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[5/9] train_target nano stack nli>xnli seed 1")
    assert lines[0].endswith("loss 0.50    1 min 15 s")
    assert lines[1] == "failed: train_target nano stack nli>xnli seed 1: DataError: gone"
    assert lines[2] == "  fix: look"
    assert "signal 9" in lines[3]


def test_bars_show_loss_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    out = io.StringIO()
    monkeypatch.setattr(
        "adapterxfer.cli.progress.console", lambda: Console(file=out, force_terminal=True, width=120, color_system=None)
    )
    keys = {"a": 10.0, "b": 20.0, STAGE.key: 5.0}
    shown = BarProgress(total=20, done=0, costs=keys)
    with shown:
        for _ in range(6):
            shown(StageEvent("started", STAGE))
            shown(StageEvent("progress", STAGE, detail={"step": 3, "steps": 10, "loss": 0.25}))
            shown.progress.refresh()
            shown(StageEvent("finished", STAGE, seconds=1.0))
        shown(StageEvent("failed", STAGE, detail={"error": "DataError", "what": "gone"}))
        shown.progress.refresh()
    text = out.getvalue()
    assert "train_target nano stack nli>xnli seed 1" in text
    assert "loss 0.25" in text
    assert "3/10" in text
    assert "6/20" in text
    assert "left" in text
    assert "DataError: gone" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.04, "3.0 s"), (42.4, "42 s"), (161, "2 min 41 s"), (18720, "5 h 12 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


def test_long_stages_are_named_again_with_step_loss_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("adapterxfer.cli.progress.time.monotonic", lambda: now[0])
    shown = PlainProgress(total=9, done=4)
    shown(StageEvent("started", STAGE))
    assert shown.running_lines(129.0) == []
    assert shown.running_lines(130.0) == ["running: train_target nano stack nli>xnli seed 1: 30 s"]
    for now[0], step in ((140.0, 10), (240.0, 60)):
        shown(StageEvent("progress", STAGE, detail={"step": step, "steps": 1060, "loss": 0.5}))
    (line,) = shown.running_lines(250.0)
    assert line.endswith("2 min 30 s, step 60 of 1,060, loss 0.50, about 33 min 10 s left")
    shown(StageEvent("finished", STAGE))
    assert shown.running_lines(300.0) == []


def test_many_long_stages_are_counted() -> None:
    shown = PlainProgress(total=20, done=0, silence_s=0.0)
    for seed in range(10):
        labels = {**LABELS, "seed": seed}
        shown(
            StageEvent(
                "started", Stage(kind="train_target", version=1, identity={"seed": seed}, inputs={}, labels=labels)
            )
        )
    lines = shown.running_lines(time.monotonic())
    assert len(lines) == 9
    assert lines[-1] == "running: 2 more"


def test_a_silent_stage_is_named_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress(total=9, done=4, silence_s=0.01) as shown:
        shown(StageEvent("started", STAGE))
        while "running:" not in (text := capsys.readouterr().out):
            time.sleep(0.005)
    assert "running: train_target nano stack nli>xnli seed 1: " in text
