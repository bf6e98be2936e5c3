"""The loop itself: what a step computes, what it must not depend on, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.errors import StageError
from adapterxfer.formats import linear
from adapterxfer.formats.linear import ROWS
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import PART_STATES, TOKEN_BUDGET, token_budget_of, train
from adapterxfer.training.meter import Meter
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.model import TransferModel

SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=8, steps=8, max_length=32)


def nothing(line: Mapping[str, Any]) -> None:
    pass


@pytest.fixture
def pos(world: Path, backbone: LoadedBackbone) -> TrainTask:
    return read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=False)


def build(backbone: LoadedBackbone, *tasks: TrainTask, mode: str = "adapter", seed: int = 1) -> TransferModel:
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    return build_single(backbone, tasks, mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=seed)


def weights(model: TransferModel) -> torch.Tensor:
    """All trained weights but key biases: these cancel in the softmax, and Adam makes steps of their rounding noise."""
    return torch.cat([p.detach().flatten() for n, p in model.trainable().items() if not n.endswith("self.key.bias")])


@pytest.mark.parametrize("mode", ["adapter", "full", "head"])
def test_splitting_a_batch_changes_rounding_only(backbone: LoadedBackbone, pos: TrainTask, mode: str) -> None:
    """Words per example differ, so normalising each part by itself would give another gradient."""
    results = []
    for budget in (100_000, 30):
        model = build(backbone, pos, mode=mode)
        results.append(train(model, [pos], SETTINGS, seed=3, log=nothing, token_budget=budget))
        results.append(weights(model))
    whole, whole_weights, split, split_weights = results
    assert whole.tokens == split.tokens
    assert split.padded_tokens < whole.padded_tokens
    assert abs(whole.last_loss - split.last_loss) < 1e-5
    assert (whole_weights - split_weights).abs().max().item() < 2e-5


def test_first_step_is_adamw_on_the_mean_gradient(backbone: LoadedBackbone, pos: TrainTask) -> None:
    """One step against plain torch: the mean loss over all words, clipped, AdamW with decay on matrices."""
    from itertools import islice

    from adapterxfer.training.batches import feature_batches
    from adapterxfer.training.seeds import numpy_generator

    settings = replace(SETTINGS, steps=1, warmup_fraction=0.0, weight_decay=0.1, clip=0.05)
    ours = build(backbone, pos)
    train(ours, [pos], settings, seed=3, log=nothing, token_budget=30)
    theirs = build(backbone, pos).train()
    lengths = [feature.length for feature in pos.features]
    (chosen,) = islice(feature_batches(lengths, batch_size=8, rng=numpy_generator(3, "order", "pos")), 1)
    batch = pos.format.collate([pos.features[i] for i in chosen], pad_id=pos.pad_id)
    loss = pos.format.loss(theirs.head("pos")(theirs(batch.input_ids, batch.attention_mask), batch), batch)
    (loss.total / loss.units).backward()
    parameters = list(theirs.trainable().values())
    assert torch.nn.utils.clip_grad_norm_(parameters, 0.05) > 0.05
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    torch.optim.AdamW(groups, lr=settings.learning_rate).step()
    assert (weights(ours) - weights(theirs)).abs().max().item() < 1e-5


def test_start_values_do_not_depend_on_other_parts(backbone: LoadedBackbone, pos: TrainTask, world: Path) -> None:
    nli = read_train_task(world / "nli", "nli", "sequence_classification", backbone, max_length=32, dev=False)
    torch.manual_seed(5)
    alone = build(backbone, pos)
    torch.manual_seed(6)
    both = build(backbone, nli, pos)
    for name, parameter in alone.adapters.named_parameters():
        assert torch.equal(parameter, both.adapters.get_parameter(name))
    assert torch.equal(alone.head("pos").out.weight, both.head("pos").out.weight)  # type: ignore[union-attr,arg-type]
    assert not torch.equal(weights(alone), weights(build(backbone, pos, seed=2)))


def test_training_neither_reads_nor_moves_the_global_random_state(backbone: LoadedBackbone, pos: TrainTask) -> None:
    backbone = with_own_weights(backbone)
    backbone.model.config.hidden_dropout_prob = 0.2
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.random.get_rng_state()
        model = build(backbone, pos)
        train(model, [pos], SETTINGS, seed=3, log=nothing)
        assert torch.equal(torch.random.get_rng_state(), before)
        found.append(weights(model))
    assert torch.equal(*found)
    other = build(backbone, pos)
    train(other, [pos], SETTINGS, seed=4, log=nothing)
    assert not torch.equal(weights(other), found[0])


def test_dropout_is_on_in_training_only(backbone: LoadedBackbone, pos: TrainTask) -> None:
    backbone = with_own_weights(backbone)
    backbone.model.config.hidden_dropout_prob = 0.5
    model = build(backbone, pos)
    ids = torch.tensor([[0, 6, 7, 8, 2]])
    with torch.no_grad():
        assert not torch.equal(model.train()(ids), model(ids))
        assert torch.equal(model.eval()(ids), model(ids))


def test_bf16_trains_close_to_fp32(backbone: LoadedBackbone, pos: TrainTask) -> None:
    losses = [
        train(build(backbone, pos), [pos], replace(SETTINGS, dtype=dtype), seed=3, log=nothing).last_loss
        for dtype in ("fp32", "bf16")
    ]
    assert losses[0] != losses[1]
    assert abs(losses[0] - losses[1]) < 0.05


class Shapes(TorchDispatchMode):
    """Writes down the shapes of all products of bfloat16 matrices, those of the backward pass included."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.addmm.default, torch.ops.aten.mm.default):
            first, second = args[-2:]
            if first.dtype == torch.bfloat16:
                self.shapes.add((*first.shape, *second.shape))
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(not linear._keeps_bits(), reason="rows are not filled up on this processor")
@pytest.mark.parametrize("mode", ["adapter", "full", "head"])
def test_bf16_fills_up_rows_and_keeps_every_bit(
    backbone: LoadedBackbone, pos: TrainTask, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, seen = [], []
    for rows in (ROWS, 1):
        monkeypatch.setattr(linear, "ROWS", rows)
        model = build(backbone, pos, mode=mode)
        with Shapes() as shapes:
            train(model, [pos], replace(SETTINGS, dtype="bf16"), seed=3, log=nothing)
        found.append(weights(model))
        seen.append(shapes.shapes)
    assert torch.equal(*found)
    known = {size for p in model.parameters() for size in p.shape} | {
        size for p in backbone.model.parameters() for size in p.shape
    }
    assert all(size in known or size % ROWS == 0 for shape in seen[0] for size in shape)
    assert 2 * len(seen[0]) < len(seen[1]), "a kernel for each"


def test_not_finite_is_an_error(backbone: LoadedBackbone, pos: TrainTask) -> None:
    model = build(backbone, pos)
    with torch.no_grad():
        model.adapters["t00"][0].up.bias[0] = float("nan")  # type: ignore[index]
    with pytest.raises(StageError, match="the loss is not finite at step 8 of 8") as caught:
        train(model, [pos], SETTINGS, seed=3, log=nothing)
    assert "lower learning_rate" in str(caught.value)


def feed(meter: Meter, steps: range, loss: float, norm: float = 1.0) -> None:
    for step in steps:
        meter.add(step, torch.tensor(10 * loss), 10, torch.tensor(norm), 1e-3)


def test_divergence_is_an_error() -> None:
    lines: list[Mapping[str, Any]] = []
    meter = Meter(200, lines.append, SETTINGS)
    feed(meter, range(1, 51), 1.2)
    assert [line["step"] for line in lines] == [25, 50]
    assert lines[-1]["loss"] == pytest.approx(1.2)
    with pytest.raises(StageError, match=r"the loss grew from 1.2 to 30 at step 75 of 200"):
        feed(meter, range(51, 101), 30.0)
    with pytest.raises(StageError, match="the gradient is not finite"):
        feed(Meter(25, lines.append, SETTINGS), range(1, 26), 1.0, norm=float("inf"))


def test_a_training_that_breaks_down_at_once_is_not_measured_by_its_ruins() -> None:
    lines: list[Mapping[str, Any]] = []
    meter = Meter(200, lines.append, SETTINGS)
    feed(meter, range(1, 2), 1.1)
    with pytest.raises(StageError, match=r"the loss grew from 1.1 to 28.8 at step 25 of 200"):
        feed(meter, range(2, 26), 30.0)
    assert lines == []
    lucky = Meter(200, lines.append, SETTINGS)
    feed(lucky, range(1, 2), 0.01)
    feed(lucky, range(2, 26), 1.5)
    assert [line["step"] for line in lines] == [25]


def test_a_wrong_folder_is_named(world: Path, backbone: LoadedBackbone) -> None:
    with pytest.raises(StageError, match=r"holds task 'pos' \(tagging\); expected 'nli'"):
        read_train_task(world / "pos", "nli", "sequence_classification", backbone, max_length=32, dev=False)


def test_full_fine_tuning_goes_through_a_batch_in_smaller_parts(backbone: LoadedBackbone, pos: TrainTask) -> None:
    """On a processor; what else trains keeps its parts, and with them its bytes."""
    full = build(backbone, pos, mode="full")
    assert token_budget_of(full, "cpu") == PART_STATES // 24 < TOKEN_BUDGET
    assert token_budget_of(full, "cuda") == token_budget_of(build(backbone, pos), "cpu") == TOKEN_BUDGET


def test_wide_models_go_through_a_batch_in_smaller_parts() -> None:
    model: Any = SimpleNamespace(
        loaded=SimpleNamespace(hidden_size=384), composition=SimpleNamespace(trains_backbone=False)
    )
    assert token_budget_of(model, "cpu") == 512
    assert token_budget_of(model, "cuda") == TOKEN_BUDGET
