"""A training that breaks down fails alone: recorded, told, and in no mean."""

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
name: diverges
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [world-xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
train:
  default: {batch_size: 8, steps: 30, learning_rate: 1e-3, max_length: 48}
  full-ft: {learning_rate: 0.99, warmup_fraction: 0, schedule: constant, clip: 0}
tasks:
  world-xnli: {train_examples: 48, dev_examples: 8, test_examples: 16}
controls: false
statistics: {resamples: 100}
"""


def adapterxfer(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "adapterxfer", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_a_diverged_training_is_reported_and_never_averaged_in(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    ran = adapterxfer(tmp_path, "run", "r.yaml", "--jobs", "1")
    assert ran.returncode == 1
    assert "training diverged" in ran.stdout + ran.stderr
    assert "lower learning_rate" in ran.stdout + ran.stderr
    (failed,) = (tmp_path / "store" / "failed").rglob("*.json")
    assert "diverged" in json.loads(failed.read_text())["what"]
    kinds = [Store(tmp_path / "store").read(folder).stage for folder in Store(tmp_path / "store").completed().values()]
    assert [stage.labels["variant"] for stage in kinds if stage.kind == "train_target"] == ["adapter"]
    assert not any((tmp_path / "store" / ".resume").glob("*/step-*"))
    looked = adapterxfer(tmp_path, "status", "r.yaml")
    assert "diverged" in looked.stdout + looked.stderr
    made = adapterxfer(tmp_path, "report", "r.yaml", "--out", "report")
    assert made.returncode == 0, made.stderr
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert any("full-ft" in line for line in found["missing"])
    assert not [row for row in found["scores"] if row["variant"].startswith("full-ft")]
