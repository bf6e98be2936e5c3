"""A study whose rates development data choose, from the recipe to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: chosen
backbones: [world-nano, world-micro]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {batch_size: 8, steps: 30, max_length: 48}
  full-ft: {learning_rate: {choose: [1e-3, 0.99], by: dev}, warmup_fraction: 0, schedule: constant, clip: 0}
  adapters: {learning_rate: {choose: [1e-3, 4e-3], by: dev, also: each}, selection: dev,
             early_stopping: {patience: 1, every: 5}}
tasks:
  world-nli: {train_examples: 48, dev_examples: 30}
  world-xnli: {train_examples: 48, dev_examples: 30, test_examples: 16}
controls: false
statistics: {resamples: 100}
"""


def adapterxfer(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "adapterxfer", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_a_diverging_value_loses_and_the_study_is_trained_with_the_other(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert "English dev data choose: 8 choices by 16 trainings" in adapterxfer(tmp_path, "check", "r.yaml").stdout
    ran = adapterxfer(tmp_path, "run", "r.yaml", "--jobs", "1")
    assert ran.returncode == 0, ran.stderr
    store = Store(tmp_path / "store")
    records = [store.read(folder) for folder in store.completed().values()]
    tried = [r for r in records if r.stage.kind == "train_candidate"]
    assert any(r.result["diverged"] for r in tried)
    full = [r for r in records if r.stage.kind.startswith("train_") and r.stage.labels["variant"] == "full-ft"]
    finals = [r for r in full if r.stage.kind in ("train_target", "train_intermediate")]
    assert len(finals) == 2 * 2 * 3
    for record in finals:
        assert record.result["chosen"] == {"learning_rate": 1e-3}
        assert record.stage.identity["settings"]["learning_rate"] == {"choose": [1e-3, 0.99]}
    stopped = [r for r in records if r.stage.kind == "train_target" and r.stage.labels["variant"] == "stack"]
    assert any(r.result["steps"] < 30 for r in stopped)
    again = adapterxfer(tmp_path, "run", "r.yaml", "--jobs", "1")
    assert f"{len(records)} stages, {len(records)} done" in again.stdout
    looked = adapterxfer(tmp_path, "status", "r.yaml").stdout
    assert "chosen by English dev data: 8 of 8 choices made" in looked
    assert "world-nano full-ft world-xnli: learning_rate 0.001 of 0.001, 0.99" in looked
    made = adapterxfer(tmp_path, "report", "r.yaml", "--out", "report")
    assert made.returncode == 0, made.stderr
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert len(found["chosen"]) == 8
    assert any(None in row["scores"] for row in found["chosen"])
    rates = [row["rates"] for row in found["common_trends"] if row["variant"] == "stack"]
    assert rates == [{}, {"adapters": 1e-3}, {"adapters": 4e-3}]
