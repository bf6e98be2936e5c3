"""Modules with settings: by hand, at their start, in training, and as part of a fusion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.bottleneck import ACTIVATIONS
from adapterxfer.variants.fusion import FusionLayer

HIDDEN = 12


def module(method: str, **settings: Any) -> Any:
    size = {"rank": 4} if "bn" not in method else {"bottleneck_size": 4}
    shape = AdapterShape.of({"method": method, **size, "config": settings}, HIDDEN)
    linears = {role: nn.Linear(HIDDEN, HIDDEN) for role in ("query", "key", "value")}
    adapter = Adapter(1, HIDDEN, shape, generator=torch.Generator().manual_seed(1), linears=[linears])
    return adapter[0]


def states(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, HIDDEN, generator=torch.Generator().manual_seed(seed))


def test_the_start_has_the_spread_that_was_asked_for() -> None:
    shape = {"method": "seq_bn", "bottleneck_size": 64}
    for settings, std in (({}, 0.02), ({"init_std": 0.5}, 0.5)):
        adapter = Adapter(1, 64, AdapterShape.of({**shape, "config": settings}, 64), generator=torch.Generator())
        layer: Any = adapter[0]
        assert float(layer.up.weight.detach().std()) == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_what_a_bottleneck_reads_and_what_is_kept(before: bool, kept: bool) -> None:
    layer = module("seq_bn", original_ln_before=before, residual_before_ln=kept, scaling=3.0, non_linearity="tanh")
    norm = nn.LayerNorm(HIDDEN)
    residual, output = states(1), states(2)
    total = residual + output
    read = norm(total) if before else output
    added = 3.0 * layer.up(torch.tanh(layer.down(read)))
    expected = residual + (output if kept else read) + added
    assert torch.allclose(layer.ffn(total, residual, norm), expected, atol=1e-6)


def test_defaults_run_the_formula_that_they_always_ran() -> None:
    assert module("seq_bn", non_linearity="relu", scaling=1.0).own is None
    assert module("double_seq_bn", non_linearity="swish").own is None
    assert module("par_bn", scaling=4.0).own is None
    assert set(ACTIVATIONS) >= {"relu", "swish"}


def test_ranks_scales_and_maps_of_updates() -> None:
    layer = module("lora", target_modules=["query", "key"], rank_pattern={"key": 2}, lora_alpha=6.0)
    assert {role: tuple(first.shape) for role, first in layer.first.items()} == {
        "query": (4, HIDDEN), "key": (2, HIDDEN),
    }  # fmt: skip
    assert layer.scales == {"query": 1.5, "key": 3.0}
    with pytest.raises(VariantError, match="has no map 'ffn_in'"):
        module("lora", target_modules=["ffn_in"])


def test_dropout_acts_in_training_alone() -> None:
    layer = module("lora", lora_dropout=0.5)
    nn.init.normal_(layer.second["query"], generator=torch.Generator().manual_seed(2))
    linear, inputs = nn.Linear(HIDDEN, HIDDEN), states(3)
    base = linear(inputs)
    layer.eval()
    still = [layer.linear_output("query", linear, inputs, base, base) for _ in range(2)]
    assert torch.equal(still[0], still[1])
    layer.train()
    torch.manual_seed(4)
    first = layer.linear_output("query", linear, inputs, base, base)
    torch.manual_seed(4)
    assert torch.equal(first, layer.linear_output("query", linear, inputs, base, base))
    assert not torch.equal(first, still[0])


def test_a_fusion_mixes_outputs_with_settings() -> None:
    layers = [module("seq_bn", non_linearity="gelu", scaling=2.0), module("seq_bn")]
    for number, layer in enumerate(layers):
        nn.init.normal_(layer.up.weight, generator=torch.Generator().manual_seed(number))
    fusion = FusionLayer(HIDDEN, dropout=0.0, generator=torch.Generator().manual_seed(5)).eval()
    total, norm = states(6), nn.LayerNorm(HIDDEN)
    read = norm(total)
    outputs = [
        2.0 * layers[0].up(functional.gelu(layers[0].down(read))),
        layers[1].up(functional.relu(layers[1].down(read))),
    ]
    expected = total + fusion._mixture(outputs, read)
    assert torch.allclose(fusion(total, norm, layers), expected, atol=1e-5)
