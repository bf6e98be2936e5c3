"""A training that is stopped anywhere and goes on ends with the same bits as one that was left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.durable.checkpoints import FACTS, TENSORS, Checkpoints
from adapterxfer.errors import StageError, StageStopped
from adapterxfer.training.building import build_fusion, build_single
from adapterxfer.training.loop import TrainResult, train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.model import TransferModel

STEPS = 30
SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=8, steps=STEPS, max_length=32, weight_decay=0.01)
ADAPTER = {"method": "seq_bn", "bottleneck_size": 6}
FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}


@pytest.fixture
def noisy(backbone: LoadedBackbone) -> LoadedBackbone:
    """The backbone with dropout, so that random states count."""
    own = with_own_weights(backbone)
    own.model.config.hidden_dropout_prob = 0.2
    own.model.config.attention_probs_dropout_prob = 0.1
    return own


def task(world: Path, backbone: LoadedBackbone, name: str) -> TrainTask:
    return read_train_task(world / name, name, FORMATS[name], backbone, max_length=32, dev=True)


class Run:
    """One training with everything it left: weights, log lines, result."""

    def __init__(self, build: Callable[[], TransferModel], tasks: list[TrainTask], settings: TrainSettings) -> None:
        self._build, self._tasks, self._settings = build, tasks, settings
        self.lines: list[Mapping[str, Any]] = []
        self.model = build()
        self.result: TrainResult | None = None

    def go(self, checkpoints: Checkpoints | None = None, **options: Any) -> None:
        self.model, self.lines = self._build(), []
        self.result = train(
            self.model, self._tasks, self._settings, seed=3, log=self.lines.append, checkpoints=checkpoints, **options
        )

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.model.own_state().items()}

    def facts(self) -> list[Any]:
        assert self.result is not None
        return [self.result.as_json(), [line for line in self.lines if "steps" in line]]


class StopAfter:
    """Asks to stop at the n-th question, and never again."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def single(
    backbone: LoadedBackbone, tasks: list[TrainTask], mode: str = "adapter", adapter: Mapping[str, Any] = ADAPTER
) -> Callable[[], TransferModel]:
    def build() -> TransferModel:
        return build_single(backbone, tasks, mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1)

    return build


CASES: dict[str, dict[str, Any]] = {
    "adapter": {},
    "full": {"mode": "full"},
    "two tasks": {"tasks": ["nli", "pos"]},
    "best of dev": {"settings": replace(SETTINGS, selection="dev")},
    "mean of last": {"settings": replace(SETTINGS, selection="mean", mean_of=4)},
    "bf16": {"settings": replace(SETTINGS, dtype="bf16", schedule="cosine")},
    "checkpointing": {"settings": replace(SETTINGS, gradient_checkpointing=True)},
    "kept lower layers": {
        "settings": replace(SETTINGS, cache_bottom=True),
        "adapter": {**ADAPTER, "layers": "upper-half"},
    },
}


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_gone_on_is_the_same_bits(world: Path, noisy: LoadedBackbone, tmp_path: Path, case: str) -> None:
    chosen = CASES[case]
    tasks = [task(world, noisy, name) for name in chosen.get("tasks", ["pos"])]
    build = single(noisy, tasks, chosen.get("mode", "adapter"), chosen.get("adapter", ADAPTER))
    run = Run(build, tasks, chosen.get("settings", SETTINGS))
    run.go(token_budget=60)
    expected, facts = run.weights(), run.facts()
    rng = np.random.default_rng(sum(map(ord, case)))
    stopped = 0
    while stopped < STEPS - 10:
        with pytest.raises(StageStopped, match=r"stopped after step \d+ and saved") as caught:
            run.go(Checkpoints(tmp_path, stage="k", stop=StopAfter(int(rng.integers(1, 9)))), token_budget=60)
        now = int(str(caught.value).split("step ")[1].split()[0])
        assert now > stopped
        stopped = now
    run.go(Checkpoints(tmp_path, stage="k"), token_budget=60)
    assert run.result is not None
    assert run.result.resumed_at == stopped
    assert {"resumed": stopped} in run.lines
    found = run.weights()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert run.facts() == facts


def test_the_comparison_sees_a_lost_random_state(
    world: Path, noisy: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutants: what is not restored shows in the weights."""
    tasks = [task(world, noisy, "pos")]
    run = Run(single(noisy, tasks), tasks, SETTINGS)
    run.go()
    expected = run.weights()
    for broken in ("seeds.DropoutStream.set_state", "streams.Streams.skip", "resume.restore_optimiser"):
        folder = tmp_path / broken
        with pytest.raises(StageStopped):
            run.go(Checkpoints(folder, stage="k", stop=StopAfter(7)))
        with monkeypatch.context() as patch:
            patch.setattr(f"adapterxfer.training.{broken}", lambda *_, **__: None)
            if broken == "streams.Streams.skip":
                with pytest.raises(StageError, match="cannot be drawn again"):
                    run.go(Checkpoints(folder, stage="k"))
                continue
            run.go(Checkpoints(folder, stage="k"))
        assert any(not torch.equal(tensor, run.weights()[name]) for name, tensor in expected.items()), broken


def test_a_fusion_goes_on_too(world: Path, noisy: LoadedBackbone, tmp_path: Path) -> None:
    from adapterxfer.variants.storage import write_description, write_weights

    tasks = [task(world, noisy, "pos")]
    folders = {}
    for name in ("nli", "pos"):
        own = [task(world, noisy, name)]
        model = single(noisy, own)()
        folders[name] = tmp_path / name
        folders[name].mkdir()
        write_weights(folders[name], model)
        write_description(folders[name], model)

    def build() -> TransferModel:
        return build_fusion(noisy, tasks[0], intermediates={"nli": folders["nli"]}, target=folders["pos"], seed=1)

    run = Run(build, tasks, SETTINGS)
    run.go()
    expected = run.weights()
    with pytest.raises(StageStopped):
        run.go(Checkpoints(tmp_path / "c", stage="k", stop=StopAfter(11)))
    run.go(Checkpoints(tmp_path / "c", stage="k"))
    assert all(torch.equal(tensor, run.weights()[name]) for name, tensor in expected.items())


def test_a_damaged_or_foreign_checkpoint_is_never_used(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(5.0)}
    Checkpoints(tmp_path, stage="k").save(3, tensors, {"x": 1})
    saved = Checkpoints(tmp_path, stage="k").load()
    assert saved is not None
    assert (saved.step, saved.facts) == (3, {"x": 1})
    assert torch.equal(saved.tensors["a"], tensors["a"])
    assert Checkpoints(tmp_path, stage="other").load() is None
    place = tmp_path / "step-000000003"
    whole = (place / TENSORS).read_bytes()
    flipped = bytes([*whole[:-1], whole[-1] ^ 1])
    record = (place / FACTS).read_text()
    for name, content in ((TENSORS, flipped), (TENSORS, whole[:-3]), (TENSORS, b""), (FACTS, record[:40].encode())):
        before = (place / name).read_bytes()
        (place / name).write_bytes(content)
        assert Checkpoints(tmp_path, stage="k").load() is None, (name, content[:10])
        (place / name).write_bytes(before)
    (place / FACTS).write_text(json.dumps({**json.loads(record), "schema": 99}))
    assert Checkpoints(tmp_path, stage="k").load() is None


def test_one_whole_checkpoint_is_always_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up at any moment of writing leaves the one before."""
    checkpoints = Checkpoints(tmp_path, stage="k")
    checkpoints.save(1, {"a": torch.zeros(3)}, {})
    calls = 0
    for fail_at in range(1, 6):
        calls = 0

        def flush(number: int, _at: int = fail_at) -> None:
            nonlocal calls
            calls += 1
            if calls == _at:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", flush)
            try:
                checkpoints.save(2, {"a": torch.ones(3)}, {})
            except OSError:
                saved = checkpoints.load()
                assert saved is not None
                # Only the very last flush comes after the rename.
                assert saved.step == (2 if fail_at == 4 else 1)
                assert not list(tmp_path.glob(".part-*"))
    saved = checkpoints.load()
    assert saved is not None
    assert saved.step == 2
    checkpoints.clear()
    assert not tmp_path.exists()


def test_a_periodic_checkpoint_that_cannot_be_written_is_a_warning(
    world: Path, backbone: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [task(world, backbone, "pos")]
    run = Run(single(backbone, tasks), tasks, SETTINGS)
    (tmp_path / "file").write_text("in the way")
    run.go(Checkpoints(tmp_path / "file" / "below", stage="k", every_steps=10))
    assert [line["step"] for line in run.lines if "warning" in line] == [10, 20]
    with pytest.raises(OSError, match="Not a directory"):
        run.go(Checkpoints(tmp_path / "file" / "below", stage="k", stop=StopAfter(2)))


def test_checkpoints_are_due_by_time_and_by_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("adapterxfer.durable.checkpoints.time.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, stage="k", every_s=10, every_steps=7)
    assert [step for step in range(1, 15) if checkpoints.due(step)] == [7, 14]
    now[0] = 110.0
    assert checkpoints.due(15)
    checkpoints.save(15, {"a": torch.zeros(1)}, {})
    assert not checkpoints.due(16)
    assert not Checkpoints(tmp_path, stage="k", every_s=0).due(7)
    assert not checkpoints.stopping


@pytest.mark.parametrize(("steps", "written"), [(0, [10, 20, 30]), (16, [10]), (14, []), (26, [10, 20])])
def test_no_checkpoint_near_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, written: list[int]
) -> None:
    """A second a step and ten between checkpoints: the last five steps are not worth one."""
    now = [0.0]
    monkeypatch.setattr("adapterxfer.durable.checkpoints.time.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, stage="k", every_s=10)
    seen = []
    for step in range(1, steps or 33):
        now[0] += 1.0
        if checkpoints.due(step, steps):
            checkpoints.save(step, {"a": torch.zeros(1)}, {})
            seen.append(step)
    assert seen == written
