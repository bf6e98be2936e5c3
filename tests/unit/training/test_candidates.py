"""Trainings that try one value of a grid, and trainings that use what was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.examples import TaggingExample
from adapterxfer.errors import StageError
from adapterxfer.formats.encoded import Encoded
from adapterxfer.stages import candidate, train
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.training.tasks import read_train_task

BACKBONE = {"name": "backbone", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
SETTINGS = {"learning_rate": 4e-3, "batch_size": 8, "steps": 8, "max_length": 32}
TARGET = {"backbone": BACKBONE, "adapter": {"method": "seq_bn", "reduction_factor": 2}, "mode": "adapter",
          "composition": "fresh", "task": "pos", "format": "tagging", "seed": 11}  # fmt: skip

Try = Callable[..., tuple[dict[str, Any], Path]]


@pytest.fixture
def stages(world: Path, tmp_path: Path) -> Try:
    """Runs one stage, a candidate or a training; returns its result and its folder."""
    folders: list[Path] = []

    def call(kind: str, inputs: Mapping[str, Path] | None = None, **changes: Any) -> tuple[dict[str, Any], Path]:
        scratch = tmp_path / f"stage{len(folders)}"
        scratch.mkdir()
        folders.append(scratch)
        phase = {"phase": {"kind": "train_target", "version": 1}} if kind == "train_candidate" else {}
        named = {"backbone": world / "backbone", "data": world / "pos", **(inputs or {})}
        identity = {**phase, **TARGET, "settings": SETTINGS, **changes}
        stage = Stage(kind=kind, version=1, identity=identity, inputs=dict.fromkeys(named, "0" * 64))
        execute = candidate.execute if kind == "train_candidate" else train.execute
        asked = StageContext(stage=stage, inputs=named, scratch=scratch, log=lambda _: None, settings={})
        return execute(asked), scratch

    return call


def test_a_candidate_keeps_its_score_and_no_model(stages: Try) -> None:
    result, folder = stages("train_candidate")
    record = json.loads((folder / "score.json").read_text())
    assert {path.name for path in folder.iterdir()} == {"score.json", "train.jsonl"}
    assert record["languages"] == ["en"]
    assert record["diverged"] == ""
    assert 0 < record["dev_score"] <= 100
    assert result["dev_score"] == record["dev_score"]


@pytest.mark.parametrize("selection", ["last", "dev", "mean"])
def test_the_score_is_that_of_the_weights_that_the_training_keeps(stages: Try, selection: str) -> None:
    settings = {**SETTINGS, "selection": selection, "steps": 24}
    result, folder = stages("train_candidate", settings=settings)
    selected, _ = stages("train_target", settings={**settings, "selection": "dev"})
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    moments = [line["dev"]["pos"] for line in lines if "dev" in line]
    if selection == "dev":
        assert result["dev_score"] == max(moments) == selected["dev_score"]
    else:
        assert moments == []
        assert result["dev_score"] <= 100
    if selection == "last":
        last = [
            json.loads(line)
            for line in (stages("train_target", settings={**settings, "selection": "dev"})[1] / "train.jsonl")
            .read_text()
            .splitlines()
        ]
        assert result["dev_score"] == [line["dev"]["pos"] for line in last if "dev" in line][-1]


def test_a_run_that_breaks_down_is_a_result_without_a_score(stages: Try) -> None:
    broken = {**SETTINGS, "learning_rate": 1e30, "clip": 0.0, "steps": 30, "schedule": "constant"}
    result, folder = stages("train_candidate", settings=broken)
    assert result["dev_score"] is None
    assert "diverged" in result["diverged"] or "finite" in result["diverged"]
    assert json.loads((folder / "score.json").read_text())["dev_score"] is None


def test_development_data_of_a_target_language_choose_nothing(world: Path, backbone: LoadedBackbone) -> None:
    task = read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=True)
    stage = Stage(kind="train_target", version=1, identity={}, inputs={})
    assert candidate.english_only([task], stage) == ["en"]
    assert task.dev is not None
    foreign = [replace(example, language="de") for example in task.dev.examples]
    assert all(isinstance(example, TaggingExample) for example in foreign)
    mixed = replace(task, dev=_with(task.dev, [*task.dev.examples, *foreign]))
    with pytest.raises(StageError, match="in English alone, there are some in: de, en"):
        candidate.english_only([mixed], stage)
    with pytest.raises(StageError, match="in: no language"):
        candidate.english_only([replace(task, dev=None)], stage)


def _with(encoded: Encoded, examples: list[Any]) -> Encoded:
    return replace(encoded, examples=examples)


def test_a_training_with_a_choice_is_the_training_with_the_number(stages: Try, tmp_path: Path) -> None:
    (tmp_path / "choice").mkdir()
    (tmp_path / "choice" / "choice.json").write_text(json.dumps({"chosen": {"learning_rate": 4e-3}}))
    grid = {**SETTINGS, "learning_rate": {"choose": [1e-3, 4e-3]}}
    result, chosen = stages("train_target", {"choice": tmp_path / "choice"}, settings=grid)
    _, plain = stages("train_target")
    assert (chosen / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    training = json.loads((chosen / "model.json").read_text())["training"]
    assert training["settings"] == SETTINGS
    assert training["chosen"] == result["chosen"] == {"learning_rate": 4e-3}
    assert "chosen" not in json.loads((plain / "model.json").read_text())["training"]
