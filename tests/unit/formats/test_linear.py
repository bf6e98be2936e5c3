"""Linear maps in bfloat16: the same bits with rows filled up as without, so that few shapes reach oneDNN."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.formats import linear
from adapterxfer.formats.linear import ROWS, EmptyLinear, filled_linear


def run(multiply: object, leaves: list[Tensor], gradient: Tensor, *, autocast: bool) -> list[Tensor]:
    own = [leaf.clone().requires_grad_() for leaf in leaves]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        made = multiply(*own)  # type: ignore[operator]
    made.float().backward(gradient)
    return [made.detach(), *(leaf.grad for leaf in own if leaf.grad is not None)]


fills = pytest.mark.skipif(not linear._keeps_bits(), reason="rows are not filled up on this processor")


@fills
@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(96, 384), (384, 1536), (1536, 384), (64, 3)])
def test_the_same_bits(inputs: int, outputs: int, bias: bool, autocast: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(outputs, inputs, generator=generator), *([torch.randn(outputs)] if bias else [])]
    for count in (1, 2, 7, 31, 32, 33, 100, 455, 2001):
        states = torch.randn(1, count, inputs, generator=generator)
        given = [states, *leaves]
        if not autocast:
            given = [tensor.bfloat16() for tensor in given]
        gradient = torch.randn(1, count, outputs, generator=generator)
        expected = run(functional.linear, given, gradient, autocast=autocast)
        observed = run(filled_linear, given, gradient, autocast=autocast)
        assert len(expected) == len(observed) == len(given) + 1
        assert all(torch.equal(*pair) for pair in zip(expected, observed, strict=True)), count


def seen_rows(monkeypatch: pytest.MonkeyPatch, states: Tensor, *, autocast: bool) -> int:
    monkeypatch.setattr(linear, "_keeps_bits", lambda: True)
    seen: list[int] = []

    def spy(states: Tensor, *others: Tensor) -> Tensor:
        seen.append(states.shape[:-1].numel())
        return torch.ops.aten.linear(states, *others)

    monkeypatch.setattr(linear.functional, "linear", spy)
    layer = EmptyLinear(8, 4)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.0)
        made = layer(states)
    assert made.shape == (*states.shape[:-1], 4)
    return seen[0]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (5, ROWS), (ROWS, ROWS), (ROWS + 1, 2 * ROWS)])
def test_rows_that_reach_a_product(monkeypatch: pytest.MonkeyPatch, count: int, expected: int) -> None:
    states = torch.ones(count, 8)
    assert seen_rows(monkeypatch, states, autocast=True) == expected
    assert seen_rows(monkeypatch, states, autocast=False) == count, "float32 stays as it is"


def test_double_precision_is_not_lowered() -> None:
    states, weight = torch.randn(3, 8, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(filled_linear(states, weight), functional.linear(states, weight))


def test_elsewhere_nothing_is_filled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not linear._keeps_bits.__wrapped__()
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert not linear._keeps_bits.__wrapped__()
