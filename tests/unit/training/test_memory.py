"""Memory that runs out, activations that are computed again, and models that are broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.errors import DataError, StageError
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.formats.memory import out_of_memory
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.selection import MeanWeights, mean_steps
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.model import TransferModel

SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=8, steps=8, max_length=32)


@pytest.fixture
def pos(world: Path, backbone: LoadedBackbone) -> TrainTask:
    return read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=True)


def build(backbone: LoadedBackbone, task: TrainTask, mode: str = "adapter") -> TransferModel:
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    return build_single(backbone, [task], mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1)


def weights(model: TransferModel) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.trainable().values()])


class Small:
    """A device on which no forward pass of more than ``limit`` tokens fits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int, error: Exception) -> None:
        self.refused = 0
        self.sizes: list[int] = []
        plain = TransferModel.forward

        def forward(model: TransferModel, input_ids: torch.Tensor, mask: torch.Tensor, *reads: Any) -> torch.Tensor:
            if input_ids.numel() > limit:
                self.refused += 1
                torch.rand(3)  # whatever was drawn before memory ran out must not count
                raise error
            self.sizes.append(input_ids.numel())
            return plain(model, input_ids, mask, *reads)

        monkeypatch.setattr(TransferModel, "forward", forward)


ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError(),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_parts_are_halved_and_the_effective_batch_stays(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    backbone = with_own_weights(backbone)
    backbone.model.config.hidden_dropout_prob = 0.0
    plain = build(backbone, pos)
    expected = train(plain, [pos], SETTINGS, seed=3, log=lambda line: None)
    lines: list[Mapping[str, Any]] = []
    with monkeypatch.context() as patch:
        small = Small(patch, 30, error)
        model = build(backbone, pos)
        result = train(model, [pos], SETTINGS, seed=3, log=lines.append)
    assert small.refused >= 1
    assert max(small.sizes) <= 30
    assert result.halvings
    assert result.halvings[0]["step"] == 1
    assert result.halvings[-1]["token_budget"] <= 30
    assert len(result.halvings) == small.refused == sum("memory" in line for line in lines)
    assert (result.tokens, result.steps_by_task) == (expected.tokens, expected.steps_by_task)
    assert (weights(model) - weights(plain)).abs().max().item() < 2e-5
    assert "halvings" not in result.as_json()


def test_a_repeated_step_draws_the_dropout_it_would_have_drawn(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = with_own_weights(backbone)
    backbone.model.config.hidden_dropout_prob = 0.3
    with monkeypatch.context() as patch:
        Small(patch, 30, ERRORS[0])
        shrunk = build(backbone, pos)
        result = train(shrunk, [pos], SETTINGS, seed=3, log=lambda line: None)
    budget = result.halvings[-1]["token_budget"]
    assert {entry["step"] for entry in result.halvings} == {1}
    plain = build(backbone, pos)
    train(plain, [pos], SETTINGS, seed=3, log=lambda line: None, token_budget=budget)
    assert torch.equal(weights(shrunk), weights(plain))


def test_a_single_example_that_does_not_fit_is_an_error(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Small(patch, 3, ERRORS[0])
        with pytest.raises(StageError, match=r"step 1: a single example of \d+ tokens does not fit") as caught:
            train(build(backbone, pos), [pos], SETTINGS, seed=3, log=lambda line: None)
    assert "gradient_checkpointing" in str(caught.value)


def test_other_errors_stay_what_they_are(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("shape '[2]' is invalid")
    assert not out_of_memory(error)
    Small(monkeypatch, 3, error)
    with pytest.raises(RuntimeError, match="is invalid"):
        train(build(backbone, pos), [pos], SETTINGS, seed=3, log=lambda line: None)


def test_prediction_halves_its_batches(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(backbone, pos).eval()
    assert pos.dev is not None
    expected = predict_encoded(model, model.head("pos"), pos.format, pos.dev, pos.labels)
    small = Small(monkeypatch, 24, ERRORS[0])
    assert predict_encoded(model, model.head("pos"), pos.format, pos.dev, pos.labels) == expected
    assert small.refused
    Small(monkeypatch, 3, ERRORS[0])
    with pytest.raises(torch.OutOfMemoryError):
        predict_encoded(model, model.head("pos"), pos.format, pos.dev, pos.labels)


def test_outputs_that_are_no_numbers_predict_nothing(backbone: LoadedBackbone, pos: TrainTask) -> None:
    model = build(backbone, pos).eval()
    with torch.no_grad():
        model.head("pos").out.bias[0] = float("nan")  # type: ignore[index, union-attr]
    assert pos.dev is not None
    with pytest.raises(DataError, match="not numbers"):
        predict_encoded(model, model.head("pos"), pos.format, pos.dev, pos.labels)


def test_weights_that_the_last_step_broke_are_never_stored(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapterxfer.training import loop

    plain = loop.apply

    def broken(optimiser: Any, parameters: Any, **named: Any) -> torch.Tensor:
        norm = plain(optimiser, parameters, **named)
        with torch.no_grad():
            parameters[0].view(-1)[0] = float("inf")
        return norm

    monkeypatch.setattr(loop, "apply", broken)
    with pytest.raises(DivergedError, match=r"weights are not finite \(adapters"):
        train(build(backbone, pos), [pos], replace(SETTINGS, steps=1), seed=3, log=lambda line: None)


@pytest.fixture
def saved_bytes() -> Iterator[list[int]]:
    """Bytes that autograd keeps, while the fixture is open."""
    kept = [0]

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[0] += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


@pytest.mark.parametrize("mode", ["full", "adapter"])
def test_checkpointed_layers_give_the_same_bits_and_keep_less(
    backbone: LoadedBackbone, pos: TrainTask, mode: str, saved_bytes: list[int]
) -> None:
    backbone = with_own_weights(backbone)
    backbone.model.config.hidden_dropout_prob = 0.2
    found, kept = [], []
    for recompute in (False, True):
        saved_bytes[0] = 0
        model = build(backbone, pos, mode)
        settings = replace(SETTINGS, gradient_checkpointing=recompute, steps=3)
        train(model, [pos], settings, seed=3, log=lambda line: None)
        assert not model.recompute
        found.append(weights(model))
        kept.append(saved_bytes[0])
    assert torch.equal(*found)
    assert kept[1] < kept[0]


def test_backward_ends_at_the_lowest_part_that_trains(backbone: LoadedBackbone, pos: TrainTask) -> None:
    """Also with recomputation: a forced gradient on the embeddings would pull it through every frozen layer."""
    model = build(backbone, pos).train()
    batch = pos.format.collate(pos.features[:4], pad_id=pos.pad_id)
    recorded: list[bool] = []
    for layer in model.backbone.encoder.layer:
        layer.attention.output.LayerNorm.register_forward_hook(
            lambda _, __, output: recorded.append(output.requires_grad)
        )
    for recompute in (False, True):
        model.recompute = recompute
        recorded.clear()
        model(batch.input_ids, batch.attention_mask).sum().backward()
        assert recorded[:2] == [False, True]
    for layer in model.backbone.encoder.layer:
        layer.attention.output.LayerNorm._forward_hooks.clear()


def test_the_mean_is_that_of_the_moments(backbone: LoadedBackbone, pos: TrainTask) -> None:
    assert sorted(mean_steps(100, 3)) == [80, 90, 100]
    assert sorted(mean_steps(4, 3)) == [3, 4]
    model = build(backbone, pos)
    mean = MeanWeights(model)
    before = weights(model)
    mean.add(1)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(1.0)
    mean.add(2)
    mean.restore()
    assert mean.step == 2
    assert torch.allclose(weights(model), before + 0.5, atol=1e-6)
    trained = train(build(backbone, pos), [pos], replace(SETTINGS, selection="mean"), seed=3, log=lambda line: None)
    assert trained.selected_step == 8
