"""Runs of several seeds in one pass: selection, going on, divergence, memory, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from seeds_setup import (
    SEEDS,
    SETTINGS,
    STEPS,
    build,
    group,
    task_of,
    weights,
)
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageError, StageStopped, VariantError
from adapterxfer.training.loop import TrainResult, train
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seeds_together import train_together
from adapterxfer.training.selection import dev_score
from adapterxfer.variants import adapters_together
from adapterxfer.variants.model import TransferModel

pytestmark = pytest.mark.usefixtures("every_step")


class StopAfter:
    """Asks to stop at the n-th question, and never again."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_every_seed_is_selected_by_its_own_score(world: Path, backbone: LoadedBackbone) -> None:
    """At other steps than the last, and not all at the same."""
    task, settings = task_of(world, backbone, "pos"), replace(SETTINGS, selection="dev", learning_rate=0.2)
    lines: list[Mapping[str, Any]] = []
    models, chosen = {seed: build(backbone, task, seed) for seed in SEEDS}, {}
    results = train_together(models, task, settings, log=lines.append)
    for seed, model in models.items():
        single, result, own = build(backbone, task, seed), results[seed], []
        expected = train(single, [task], settings, seed=seed, log=own.append)
        assert isinstance(result, TrainResult)
        assert (result.selected_step, result.dev_score) == (expected.selected_step, expected.dev_score)
        scores = [line["dev"] for line in own if "dev" in line]
        assert [line["dev"] for line in lines if "dev" in line and line["seed"] == seed] == scores
        assert dev_score(model, task) == result.dev_score
        assert (weights(model) - weights(single)).abs().max().item() < 1e-3
        chosen[seed] = result.selected_step
    assert len(set(chosen.values())) > 1
    assert min(chosen.values()) < STEPS


@pytest.mark.parametrize("selection", ["last", "mean", "dev"])
def test_stopped_and_gone_on_is_the_same_bits(
    world: Path, backbone: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Any
) -> None:
    monkeypatch.setattr(backbone.config, "hidden_dropout_prob", 0.2)  # so that random states count
    task, settings = task_of(world, backbone, "pos"), replace(SETTINGS, selection=selection, mean_of=4)
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    losses, results = group(models, task, settings, token_budget=100)
    again: dict[int, TransferModel] = {}
    for questions in (3, 5):
        again = {seed: build(backbone, task, seed) for seed in SEEDS}
        with pytest.raises(StageStopped, match="stopped after step"):
            group(again, task, settings, token_budget=100,
                  checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(questions)))  # fmt: skip
    again = {seed: build(backbone, task, seed) for seed in SEEDS}
    found, more = group(again, task, settings, token_budget=100, checkpoints=Checkpoints(tmp_path, stage="k"))
    assert found == losses
    for seed in SEEDS:
        one, other = results[seed], more[seed]
        assert isinstance(one, TrainResult)
        assert isinstance(other, TrainResult)
        assert other.resumed_at == 8
        assert one.as_json() == other.as_json()
        assert torch.equal(weights(models[seed]), weights(again[seed]))
        assert all(p.is_contiguous() and p.grad is None for p in again[seed].trainable().values())


def test_a_seed_that_diverges_is_told_apart_and_leaves_the_others_alone(
    world: Path, backbone: LoadedBackbone, tmp_path: Path
) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    group(models, task, SETTINGS)

    def broken() -> dict[int, TransferModel]:
        made = {seed: build(backbone, task, seed) for seed in SEEDS}
        with torch.no_grad():
            made[SEEDS[0]].adapters["t00"][0].up.weight[0, 0] = torch.nan  # type: ignore[index, union-attr]
        return made

    again = broken()
    _, results = group(again, task, SETTINGS)
    error = results[SEEDS[0]]
    assert isinstance(error, DivergedError)
    assert "the loss is not finite at step 1 of 12" in error.what
    for seed in SEEDS[1:]:
        assert isinstance(results[seed], TrainResult)
        assert torch.equal(weights(models[seed]), weights(again[seed]))
    # Known after a stop, too.
    with pytest.raises(StageStopped):
        group(broken(), task, SETTINGS, checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(4)))
    _, gone_on = group(broken(), task, SETTINGS, checkpoints=Checkpoints(tmp_path, stage="k"))
    assert str(gone_on[SEEDS[0]]) == str(error)
    nowhere = replace(SETTINGS, learning_rate=1e30, clip=0.0)
    with pytest.raises(DivergedError):
        group({seed: build(backbone, task, seed) for seed in SEEDS}, task, nowhere)


def test_memory_that_runs_out_makes_parts_smaller(
    world: Path, backbone: LoadedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    group(models, task, SETTINGS)
    plain, sizes = adapters_together.Together.forward, []

    def forward(this: adapters_together.Together, input_ids: Tensor, *rest: Any, **options: Any) -> Tensor:
        if input_ids.numel() > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        sizes.append(input_ids.numel())
        return plain(this, input_ids, *rest, **options)

    monkeypatch.setattr(adapters_together.Together, "forward", forward)
    limit = 80
    halved = {seed: build(backbone, task, seed) for seed in SEEDS}
    _, results = group(halved, task, SETTINGS)
    first = results[SEEDS[0]]
    assert isinstance(first, TrainResult)
    assert first.halvings
    assert first.halvings[0]["step"] == 1
    assert max(sizes) <= limit
    for seed in SEEDS:
        assert (weights(models[seed]) - weights(halved[seed])).abs().max().item() < 2e-5
    limit = 10
    with pytest.raises(StageError, match="one example of each of 3 seeds"):
        group({seed: build(backbone, task, seed) for seed in SEEDS}, task, SETTINGS)
    limit = 10**9
    assert max(sizes) <= 80
    monkeypatch.setattr("adapterxfer.training.seeds_together.CPU_TOKENS", 100)
    _, results = group({seed: build(backbone, task, seed) for seed in SEEDS}, task, SETTINGS)
    assert 80 < max(sizes) <= 100
    assert all(isinstance(result, TrainResult) and not result.halvings for result in results.values())


def test_what_cannot_be_combined_is_refused(world: Path, backbone: LoadedBackbone) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    with pytest.raises(StageError, match="compile, cache_bottom"):
        group(models, task, replace(SETTINGS, compile=True, cache_bottom=True))
    lora = {seed: build(backbone, task, seed, adapter={"method": "lora", "rank": 2}) for seed in SEEDS}
    with pytest.raises(VariantError, match="'lora' cannot be trained for several seeds"):
        group(lora, task, SETTINGS)
    full = {seed: build(backbone, task, seed, mode="full") for seed in SEEDS}
    with pytest.raises(VariantError):
        group(full, task, SETTINGS)
    mixed = {11: models[11], 22: build(backbone, task, 22, mode="head")}
    with pytest.raises(VariantError, match="other parts"):
        group(mixed, task, SETTINGS)
