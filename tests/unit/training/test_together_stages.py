"""The stage of a group of seeds, and those that take their seed out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.errors import StageError, StageStopped
from adapterxfer.stages import together as together_stage
from adapterxfer.stages import train as train_stage
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seeds_together import train_together
from adapterxfer.variants.assertions import TABLE
from adapterxfer.variants.storage import read_description, read_weights

SEEDS = (11, 22)
BACKBONE = {"name": "backbone", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
ADAPTER = {"method": "seq_bn", "reduction_factor": 2}
SETTINGS = {"learning_rate": 4e-3, "batch_size": 8, "steps": 6, "max_length": 32}
TARGET = {"backbone": BACKBONE, "adapter": ADAPTER, "mode": "adapter", "composition": "fresh", "task": "pos",
          "format": "tagging", "settings": {**SETTINGS, "seeds_together": True}}  # fmt: skip
FILES = {"model.json", "model.safetensors", "train.jsonl"}

Group = Callable[..., Path]


@pytest.fixture
def group(world: Path, tmp_path: Path) -> Group:
    """Runs a group; returns its folder."""
    made: list[Path] = []

    def call(inputs: Mapping[str, Path], *, phase: str = "train_target", context: Any = None, **changes: Any) -> Path:
        scratch = tmp_path / f"group{len(made)}"
        scratch.mkdir()
        made.append(scratch)
        identity = {"phase": {"kind": phase, "version": 1}, "seeds": list(SEEDS), **TARGET, **changes}
        stage = Stage(kind="train_together", version=1, identity=identity, inputs=dict.fromkeys(inputs, "0" * 64))
        lines: list[Mapping[str, Any]] = []
        folders = {"backbone": world / "backbone", "data": world / "pos", **inputs}
        result = together_stage.execute(
            StageContext(stage=stage, inputs=folders, scratch=scratch, log=lines.append, settings={}, **(context or {}))
        )
        assert result["phase"] == phase
        failed = {line["seed"] for line in lines if "diverged" in line}
        assert failed == {int(seed) for seed, told in result["seeds"].items() if "failed" in told}
        assert {line["seed"] for line in lines if "loss" in line} == set(SEEDS) - failed
        (scratch / "result.json").write_text(json.dumps(result))
        return scratch

    return call


def take(folder: Path, seed: int, scratch: Path) -> dict[str, Any]:
    """Runs the stage of one seed."""
    scratch.mkdir(parents=True)
    stage = Stage(kind="train_target", version=1, identity={**TARGET, "seed": seed}, inputs={"together": "0" * 64})
    return train_stage.execute(
        StageContext(stage=stage, inputs={"together": folder}, scratch=scratch, log=lambda line: None, settings={})
    )


def alike(one: Path, other: Path) -> float:
    """Largest difference between the weights of two models."""
    first, second = read_weights(one), read_weights(other)
    assert first.keys() == second.keys()
    return max((first[name] - second[name]).abs().max().item() for name in first)


def test_every_seed_has_the_folder_of_its_own_training(group: Group, run: Any, world: Path, tmp_path: Path) -> None:
    before = {
        seed: run("train_intermediate", {"data.nli": world / "nli"}, seed=seed, adapter=ADAPTER) for seed in SEEDS
    }
    inputs = {f"intermediate.{seed}": folder for seed, folder in before.items()}
    whole = group(inputs, composition="stack")
    for seed in SEEDS:
        own = run("train_target", {"data": world / "pos", "intermediate": before[seed]}, composition="stack",
                  settings=SETTINGS, seed=seed)  # fmt: skip
        result = take(whole, seed, tmp_path / f"taken{seed}")
        taken = tmp_path / f"taken{seed}"
        assert {path.name for path in taken.iterdir()} == FILES
        assert all((taken / name).read_bytes() == (whole / f"seed-{seed}" / name).read_bytes() for name in FILES)
        assert alike(own, taken) < 1e-5
        stored, alone = read_description(taken), read_description(own)
        assert stored.composition == alone.composition
        training = stored.content["training"]
        assert training["together"] == result["together"] == {"seeds": list(SEEDS), "seed": seed}
        assert training["settings"]["seeds_together"] is True
        assert result["variant"] == "stack"
        assert result["steps"] == 6
        judged = {row["assertion"]: row["value"] for row in stored.content["assertions"]}
        assert set(judged) == {a.name for a in TABLE if {"built", "trained"} & set(a.when)}
        assert judged.keys() == {row["assertion"] for row in alone.content["assertions"]}
        # The adapter of the seed's own intermediate training, and no other.
        found, source = read_weights(taken), read_weights(before[seed])
        assert torch.equal(found["adapters.i00.1.down.weight"], source["adapters.t00.1.down.weight"])
        lines = [json.loads(line) for line in (taken / "train.jsonl").read_text().splitlines()]
        assert [line["seed"] for line in lines] == [seed]
        assert lines[0]["together"] == list(SEEDS)
    again = group(inputs, composition="stack")
    for seed in SEEDS:
        for name in FILES:
            assert (again / f"seed-{seed}" / name).read_bytes() == (whole / f"seed-{seed}" / name).read_bytes()


def test_intermediate_phases_and_what_is_trained_before(group: Group, run: Any, world: Path) -> None:
    tasks = [{"task": "nli", "format": "sequence_classification"}]
    whole = group({"data.nli": world / "nli"}, phase="train_intermediate", tasks=tasks, sampling=None)
    own = run("train_intermediate", {"data.nli": world / "nli"}, seed=22, adapter=ADAPTER, settings=SETTINGS)
    assert alike(own, whole / "seed-22") < 1e-5
    earlier = [{"task": "pos", "settings": {**SETTINGS, "steps": 3}}]
    first = group({"before.pos": world / "pos"}, before=earlier)
    own = run("train_target", {"data": world / "pos", "before.pos": world / "pos"}, before=earlier, seed=11,
              settings=SETTINGS)  # fmt: skip
    assert alike(own, first / "seed-11") < 1e-5
    described = read_description(first / "seed-11").content["training"]
    assert described["before"]["pos"]["steps"] == 3
    lines = [json.loads(line) for line in (first / "seed-11" / "train.jsonl").read_text().splitlines()]
    assert [line.get("before") for line in lines] == ["pos", None]


def test_a_seed_that_diverges_fails_alone(group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = group({})

    def broken(models: Mapping[int, Any], *rest: Any, **options: Any) -> Any:
        with torch.no_grad():
            models[22].adapters["t00"][0].up.weight[0, 0] = torch.nan
        return train_together(models, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(together_stage, "train_together", broken)
        whole = group({})
    assert {path.name for path in (whole / "seed-22").iterdir()} == {"failed.json"}
    assert "training diverged" in json.loads((whole / "result.json").read_text())["seeds"]["22"]["failed"]
    with pytest.raises(DivergedError, match="training diverged") as caught:
        take(whole, 22, tmp_path / "22")
    assert "lower learning_rate" in str(caught.value)
    take(whole, 11, tmp_path / "11")
    assert alike(plain / "seed-11", tmp_path / "11") == 0
    with pytest.raises(StageError, match="no model of seed 33"):
        take(whole, 33, tmp_path / "33")


def test_a_group_goes_on_where_it_was_stopped(group: Group, tmp_path: Path) -> None:
    whole, asked = group({}), iter([False, False, True])
    resume = tmp_path / "resume"
    with pytest.raises(StageStopped):
        group({}, context={"resume": resume, "stop": lambda: next(asked)})
    assert any(resume.glob("step-*"))
    again = group({}, context={"resume": resume})
    assert json.loads((again / "result.json").read_text())["seeds"]["11"]["resumed_at"] == 3
    for seed in SEEDS:
        for name in FILES:
            assert (again / f"seed-{seed}" / name).read_bytes() == (whole / f"seed-{seed}" / name).read_bytes()


def test_without_its_group_a_seed_is_not_trained(world: Path, tmp_path: Path) -> None:
    stage = Stage(kind="train_target", version=1, identity={**TARGET, "seed": 11}, inputs={})
    folders = {"backbone": world / "backbone", "data": world / "pos"}
    with pytest.raises(StageError, match="without the group"):
        train_stage.execute(
            StageContext(stage=stage, inputs=folders, scratch=tmp_path, log=lambda line: None, settings={})
        )
