"""A random backbone of two layers, its tokenizer, and small prepared tasks, all in one temporary folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.data.examples import TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage

sys.path.append(str(Path(__file__).parent))
from training_setup import (  # noqa: F401 - other folders take some from here
    ADAPTER,
    FORMATS,
    SETTINGS,
    WORDS,
    identity,
    pairs,
    sentence,
    spans,
    tagged,
    write_backbone,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``backbone/``, ``other/`` (other weights), and tasks ``nli/``, ``pos/``, ``qa/``."""
    root = tmp_path_factory.mktemp("world")
    write_backbone(root / "backbone")
    write_backbone(root / "other", seed=2)
    rng = np.random.default_rng(0)
    makers = {
        "nli": ("sequence_classification", ("yes", "no"), pairs),
        "pos": ("tagging", ("X", "Y"), tagged),
        "qa": ("span_qa", (), spans),
    }
    for task, (format_name, labels, make) in makers.items():
        splits = {("train", "en"): make(rng, 50), ("dev", "en"): make(rng, 12)}
        write_task(root / task, TaskData(task, format_name, labels, splits))  # type: ignore[arg-type]
    return root


@pytest.fixture
def backbone(world: Path) -> LoadedBackbone:
    forget_backbones()
    return load_backbone(identity("backbone"), world / "backbone")


Run = Callable[..., Path]


@pytest.fixture
def run(world: Path, tmp_path: Path) -> Run:
    """Runs one training stage; returns its folder."""
    from adapterxfer.stages.train import execute

    made: list[Path] = []

    def call(kind: str, inputs: Mapping[str, Path], **changes: Any) -> Path:
        base: dict[str, Any] = {"backbone": identity("backbone"), "adapter": ADAPTER, "settings": SETTINGS, "seed": 11}
        if kind == "train_intermediate":
            base |= {
                "mode": "adapter",
                "tasks": [{"task": "nli", "format": FORMATS["nli"]}],
                "sampling": None,
            }
        elif kind == "train_target":
            base |= {"mode": "adapter", "composition": "fresh", "task": "pos", "format": FORMATS["pos"]}
        elif kind == "train_fusion":
            base |= {"task": "pos", "format": FORMATS["pos"], "fused": ["nli"]}
        full = {**base, **changes}
        scratch = tmp_path / f"stage{len(made)}"
        scratch.mkdir()
        made.append(scratch)
        stage = Stage(kind=kind, version=1, identity=full, inputs=dict.fromkeys(inputs, "0" * 64))
        lines: list[Mapping[str, Any]] = []
        folders = {"backbone": world / "backbone", **inputs}
        result = execute(StageContext(stage=stage, inputs=folders, scratch=scratch, log=lines.append, settings={}))
        if "mlm" not in full:
            assert result["steps"] == full["settings"]["steps"]
        assert lines[-1]["step"] == lines[-1]["steps"]
        return scratch

    return call


@pytest.fixture
def merged(world: Path, tmp_path: Path) -> Run:
    """Runs one merge stage over model folders; returns its folder."""
    from adapterxfer.stages.merge import execute

    made: list[Path] = []

    def call(folders: list[Path], **changes: Any) -> Path:
        base = {
            "backbone": identity("backbone"),
            "kind": "average",
            "weights": [1 / len(folders)] * len(folders),
            "adapter": None,
            "seed": 11,
        }
        scratch = tmp_path / f"merged{len(made)}"
        scratch.mkdir()
        made.append(scratch)
        inputs = {f"model.{number:02d}": folder for number, folder in enumerate(folders)}
        stage = Stage(kind="merge", version=1, identity={**base, **changes}, inputs=dict.fromkeys(inputs, "0" * 64))
        execute(
            StageContext(
                stage=stage,
                inputs={"backbone": world / "backbone", **inputs},
                scratch=scratch,
                log=lambda line: None,
                settings={},
            )
        )
        return scratch

    return call


@pytest.fixture
def long_stage(world: Path) -> tuple[Stage, dict[str, Path]]:
    """A target training of 60 steps, and its inputs."""
    inputs = {"data": world / "pos", "backbone": world / "backbone"}
    full = {
        "backbone": identity("backbone"),
        "adapter": ADAPTER,
        "settings": {**SETTINGS, "steps": 60},
        "seed": 11,
        "mode": "adapter",
        "composition": "fresh",
        "task": "pos",
        "format": FORMATS["pos"],
    }
    return Stage(kind="train_target", version=1, identity=full, inputs=dict.fromkeys(inputs, "0" * 64)), inputs


@pytest.fixture
def before(run: Any, world: Path) -> Callable[[int], Path]:
    """The intermediate model of a seed."""
    made: dict[int, Path] = {}

    def of(seed: int) -> Path:
        if seed not in made:
            made[seed] = run(
                "train_intermediate",
                {"data.nli": world / "nli"},
                seed=seed,
                adapter={"method": "seq_bn", "bottleneck_size": 6},
            )
        return made[seed]

    return of


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of every step are logged."""
    monkeypatch.setattr("adapterxfer.training.meter.LOG_EVERY", 1)
