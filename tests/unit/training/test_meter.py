"""Lines of a training: those that are kept come by steps, those that are only shown by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.durable.beats import BEAT
from adapterxfer.stages.train import TrainLog
from adapterxfer.training.meter import Meter
from adapterxfer.training.settings import TrainSettings

SETTINGS = TrainSettings.of({"learning_rate": 1e-3, "batch_size": 4, "steps": 50})


def test_slow_steps_are_shown_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("adapterxfer.training.meter.time.monotonic", lambda: now[0])
    told: list[Mapping[str, Any]] = []
    with TrainLog(tmp_path / "train.jsonl", told.append) as log:
        meter = Meter(50, log, SETTINGS, show=log)
        for step in range(1, 51):
            now[0] += 4.0
            meter.add(step, torch.tensor(6.0), 2, torch.tensor(1.0), 1e-3)
    shown = [line for line in told if BEAT in line]
    assert [line["step"] for line in shown][:3] == [3, 6, 9]
    assert {line["loss"] for line in shown} == {3.0}
    assert {line["steps"] for line in shown} == {50}
    assert [line["step"] for line in told if BEAT not in line] == [25, 50]
    assert (tmp_path / "train.jsonl").read_text(encoding="utf-8").count("\n") == 2
    assert BEAT not in (tmp_path / "train.jsonl").read_text(encoding="utf-8")
