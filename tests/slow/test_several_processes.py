"""A real study whose trainings run in two processes each, started as several GPUs would be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_study
from safetensors.numpy import load_file

import adapterxfer
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store


def test_two_processes_train_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    text = tiny_study.recipe("two", intermediates=("none",), targets=("world-xnli",), variants=("full-ft", "stack"))
    tiny_study.write_study(tmp_path, two=text)
    recipe = adapterxfer.load_recipe(tmp_path / "two.yaml", set_=[f"data_root={tmp_path / 'data'}"])
    for name, settings in (("one", {}), ("both", {"processes": 2})):
        result = adapterxfer.run(recipe, store=tmp_path / name, jobs=1, settings=settings)
        assert result.outcome.exit_code == 0, result.outcome.failed
        assert audit(Store(tmp_path / name)).damaged == ()
    one, both = (Store(tmp_path / name).completed() for name in ("one", "both"))
    trained = [key for key, folder in one.items() if folder.parent.name == "train_target"]
    assert len(trained) == 2
    for key in trained:
        left, right = (load_file(found[key] / "model.safetensors") for found in (one, both))
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_allclose(left[name], right[name], atol=2e-4, err_msg=name)
        first, second = ((found[key] / "train.jsonl").read_text().count("\n") for found in (one, both))
        assert first == second > 0
