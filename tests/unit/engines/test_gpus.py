"""A stage sees its own GPUs; no GPU is needed here, since only what the environment says is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, stage

from adapterxfer.engines import gpus
from adapterxfer.engines.inline import run_plan
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

CUDA = {"device": "cuda"}


def needing(count: int, name: str = "x") -> Stage:
    return Stage(
        kind="train_environment",
        version=1,
        identity={"name": name, "sleep_s": 0.3},
        inputs={},
        slug=name,
        resources={"gpus": count},
    )


@pytest.mark.parametrize(
    ("kind", "declared", "device", "expected"),
    [
        ("train_target", 0, "cuda", 1),
        ("train_target", 8, "cuda", 8),
        ("predict", 0, "cuda:1", 1),
        ("pretrain", 0, "cuda", 1),
        ("prepare", 0, "cuda", 0),
        ("report", 0, "cuda", 0),
        ("train_target", 0, None, 0),
        ("train_target", 2, "cpu", 2),
    ],
)
def test_how_many_a_stage_needs(kind: str, declared: int, device: str | None, expected: int) -> None:
    one = Stage(kind=kind, version=1, identity={}, inputs={}, resources={"gpus": declared})
    assert gpus.gpus_of(one, {"device": device}) == expected


@pytest.mark.parametrize(
    ("there", "needed", "jobs", "expected"),
    [
        ("0,1,2,3", 0, 4, ["0", "1", "2", "3"]),
        ("4,6", 0, 3, ["4", "6", "4"]),
        ("0,1,2,3", 2, 2, ["0,1", "2,3"]),
        ("0,1,2,3", 2, 1, ["0,1"]),
        ("0", 0, 1, [None]),
        ("", 0, 2, [None, None]),
    ],
)
def test_workers_share_the_gpus_of_a_machine(
    there: str, needed: int, jobs: int, expected: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", there)
    assert gpus.shares([needing(needed)], CUDA, jobs) == expected
    for device in (None, "cpu", "cuda:1"):
        assert gpus.shares([needing(needed)], {"device": device}, jobs) == [None] * jobs


def test_too_few_gpus_are_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    plan = FakePlan([needing(2, "a"), needing(2, "b")])
    with pytest.raises(AdapterxferError, match="2 jobs of 2 GPUs each; this machine has 3") as caught:
        run_plan(plan, Store(tmp_path / "store"), jobs=2, settings=CUDA, registry=REGISTRY)
    assert caught.value.fix == "--jobs 1"


def test_a_worker_process_sees_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    plan = FakePlan([needing(0, f"t{number}") for number in range(4)])
    store = Store(tmp_path / "store")
    outcome = run_plan(plan, store, jobs=2, settings=CUDA, registry=REGISTRY)
    assert {store.read(key).result["gpus"] for key in outcome.finished} == {"5", "7"}
    alone = Store(tmp_path / "alone")
    outcome = run_plan(FakePlan([stage("environment", "cpu")]), alone, jobs=1, registry=REGISTRY)
    assert alone.read(outcome.finished[0]).result["gpus"] == "5,7", "without --device nothing is changed"


def test_the_driver_lists_them_where_the_environment_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\nNo devices\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.visible_gpus() == ["0", "1"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.visible_gpus() == []
    tool.unlink()
    assert gpus.visible_gpus() == []


@pytest.mark.parametrize("engine", ["ray", "slurm"])
def test_engines_of_clusters_take_no_numbered_device(engine: str) -> None:
    gpus.refuse_one_device(engine, CUDA)
    settings: dict[str, Any] = {"device": "cuda:1"}
    with pytest.raises(AdapterxferError, match=f"engine {engine}: --device cuda:1") as caught:
        gpus.refuse_one_device(engine, settings)
    assert caught.value.fix == "--device cuda"
    with pytest.raises(AdapterxferError, match=f"engine {engine}: --device auto"):
        gpus.refuse_one_device(engine, {"device": "auto"})
