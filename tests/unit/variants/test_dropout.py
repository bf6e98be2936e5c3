"""Dropout of our own: the share, the expected value, the gradient and the stream of random numbers are torch's kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.training.seeds import DropoutStream
from adapterxfer.variants import dropout
from adapterxfer.variants.dropout import LEVELS, attention, dropped, dropped_plus
from adapterxfer.variants.encoder import encode

COUNT = 2**20


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1 / 3])
def test_share_and_expected_value(share: float) -> None:
    torch.manual_seed(1)
    made = dropped(torch.ones(COUNT), share)
    error = 5 * (share * (1 - share) / COUNT) ** 0.5  # five standard errors
    assert abs(float(made.eq(0).float().mean()) - share) < error
    assert abs(float(made.mean()) - 1) < error / (1 - share)
    kept = made[made.ne(0)]
    assert float(kept.max()) == float(kept.min()) == pytest.approx(1 / (1 - share), abs=2 / LEVELS / (1 - share) ** 2)


def test_neighbours_are_independent() -> None:
    """Four numbers come from one random word."""
    torch.manual_seed(2)
    gone = dropped(torch.ones(COUNT), 0.3).eq(0).float() - 0.3
    for distance in (1, 2, 3, 4, 624):
        correlation = float((gone[distance:] * gone[:-distance]).mean()) / (0.3 * 0.7)
        assert abs(correlation) < 5 / COUNT**0.5, distance
    for place in range(4):
        assert abs(float(gone[place::4].mean())) < 5 * (0.21 * 4 / COUNT) ** 0.5, place


@pytest.mark.parametrize("count", [1, 2, 3, 5, 1023])
def test_any_number_of_numbers(count: int) -> None:
    assert dropped(torch.ones(count), 0.5).shape == (count,)


def test_nothing_and_everything_dropped() -> None:
    states = torch.randn(7, 3)
    before = torch.get_rng_state()
    assert dropped(states, 0.0) is states
    assert torch.equal(before, torch.get_rng_state()), "without dropout nothing is drawn"
    assert torch.equal(dropped(states, 1.0), torch.zeros(7, 3))
    assert torch.equal(dropped_plus(states, 1.0, states), states)
    assert torch.equal(dropped_plus(states, 0.0, states), 2 * states)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_sum_with_a_residual_and_gradients(dtype: torch.dtype) -> None:
    states, residual = (torch.randn(64, 9, dtype=dtype, requires_grad=True) for _ in range(2))
    torch.manual_seed(3)
    kept = dropped(torch.ones(64, 9, dtype=dtype), 0.25)
    torch.manual_seed(3)
    made = dropped_plus(states, 0.25, residual)
    assert made.dtype == dtype
    assert torch.allclose(made, states * kept + residual, rtol=1e-2 if dtype.itemsize == 2 else 1e-6, atol=1e-2)
    made.sum().backward()
    assert states.grad is not None
    assert residual.grad is not None
    assert torch.allclose(states.grad, kept)
    assert torch.equal(residual.grad, torch.ones_like(residual))


def test_a_residual_in_a_wider_format() -> None:
    """Under autocast the branch is in bfloat16 and the residual in float32."""
    states, residual = torch.ones(32, 8, dtype=torch.bfloat16), torch.ones(32, 8)
    made = dropped_plus(states, 0.5, residual)
    assert made.dtype == torch.float32
    assert set(made.flatten().tolist()) == {1.0, 3.0}


@pytest.mark.parametrize("masked", [False, True])
def test_attention_with_dropout(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = (torch.randn(2, 3, 5, 8, requires_grad=True) for _ in range(3))
    mask = None
    if masked:
        mask = torch.zeros(2, 1, 1, 5)
        mask[1, ..., 3:] = torch.finfo(torch.float32).min
    monkeypatch.setattr(dropout, "_kept", lambda states, _: torch.ones_like(states))
    monkeypatch.setattr(dropout, "_factor", lambda _: 1.0)
    results = []
    for share in (0.0, 0.1):  # torch's own function, and ours with nothing dropped
        made = attention(query, key, value, mask, share)
        results.append([made, *torch.autograd.grad(made.square().sum(), (query, key, value))])
    for expected, observed in zip(*results, strict=True):
        assert torch.allclose(observed, expected, atol=1e-5)
    monkeypatch.undo()
    torch.manual_seed(4)
    shares = attention(query, key, torch.eye(5).expand(2, 3, 5, 5), mask, 0.5)
    torch.manual_seed(4)
    whole = attention(query, key, torch.eye(5).expand(2, 3, 5, 5), mask, 0.0)
    dropped_ones = shares.eq(0) & whole.gt(0)
    assert 0 < int(dropped_ones.sum()) < whole.numel()
    assert torch.allclose(shares[~dropped_ones], 2 * whole[~dropped_ones], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_attention_in_other_formats_is_the_library_s(dtype: torch.dtype) -> None:
    states = torch.randn(2, 3, 5, 8, dtype=dtype)
    results = []
    for function in (
        attention,
        lambda q, k, v, mask, share: functional.scaled_dot_product_attention(q, k, v, mask, share),
    ):
        torch.manual_seed(6)
        results.append(function(states, states, states, None, 0.5))
    assert torch.equal(*results)


@pytest.fixture(scope="module")
def backbone() -> Any:
    """Its weights are large enough for every branch to matter."""
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=40, pad_token_id=1, initializer_range=0.3,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


def passed(backbone: Any, *, recompute: bool = False, training: bool = True) -> list[Tensor]:
    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [7, 8, 9, 1, 1, 1]])
    backbone.zero_grad()
    states = encode(backbone, ids, ids.ne(1).long(), training=training, recompute=recompute)
    (states**3).sum().backward()
    return [states.detach(), *(p.grad.clone() for p in backbone.parameters() if p.grad is not None)]


def test_one_stream_of_random_numbers(backbone: Any) -> None:
    """The stream of a training decides what is dropped, layers computed again drop the same, and each step other."""
    evaluated = passed(backbone, training=False)
    results = []
    for recompute in (False, True):
        with DropoutStream(7, torch.device("cpu")):
            torch.rand(3)
            results.append([*passed(backbone, recompute=recompute), *passed(backbone, recompute=recompute)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    first, second = results[0][0], results[0][len(evaluated)]
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, evaluated[0])


def test_on_average_the_library_s_states(backbone: Any) -> None:
    """Mean and spread over 400 passes with dropout, ours and the library's, of every state."""
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    torch.manual_seed(5)
    with torch.no_grad():
        ours = torch.stack([encode(backbone, ids, None, training=True) for _ in range(400)])
        backbone.train()
        theirs = torch.stack([backbone(ids).last_hidden_state for _ in range(400)])
        backbone.eval()
    error = (ours.var(0) / 400 + theirs.var(0) / 400).sqrt()
    distance = (ours.mean(0) - theirs.mean(0)) / error
    assert 0.5 < float(distance.square().mean()) < 1.6, "as far apart as two samples of one distribution"
    assert float((ours.std(0) / theirs.std(0)).mean()) == pytest.approx(1, abs=0.02)
    assert functional.cosine_similarity(ours.std(0).flatten(), theirs.std(0).flatten(), dim=0) > 0.99
