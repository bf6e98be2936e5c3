"""Wide layers: products by oneDNN give what torch's own give, forward and backward, in rows that are filled up."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.formats.linear import ROWS, filled_up
from adapterxfer.formats.reads import reads_of
from adapterxfer.variants import products
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.places import Places
from adapterxfer.variants.products import PAYS, applied_gelu, product

WIDTH, HIDDEN = 11, 288
LENGTHS = (11, 7, 4)


@pytest.fixture(scope="module")
def backbone() -> Any:
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=50, hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=9, intermediate_size=2 * HIDDEN,
        max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=1,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


def batch() -> tuple[Tensor, Tensor]:
    ids = torch.full((len(LENGTHS), WIDTH), 1)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.arange(length) % 40 + 5 + row
        mask[row, :length] = 1
    return ids, mask


def onednn(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    monkeypatch.setattr(products, "_has_wide_vectors", lambda: there)


needs_wide_vectors = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


@needs_wide_vectors
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(HIDDEN, HIDDEN + 8), (HIDDEN, HIDDEN - 8), (48, 192), (192, 48)])
def test_a_product_and_its_gradients(
    monkeypatch: pytest.MonkeyPatch, bias: bool, frozen: bool, inputs: int, outputs: int
) -> None:
    onednn(monkeypatch, there=True)
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(2, 7, inputs, generator=generator)
    weight = torch.randn(outputs, inputs, generator=generator)
    offset = torch.randn(outputs, generator=generator) if bias else None
    assert weight.numel() >= PAYS
    results = []
    for multiply in (functional.linear, product):
        leaves = [states.clone().requires_grad_(), weight.clone().requires_grad_(not frozen)]
        if offset is not None:
            leaves.append(offset.clone().requires_grad_(not frozen))
        made = multiply(*leaves)
        made.square().sum().backward()
        results.append([made.detach(), *(leaf.grad for leaf in leaves)])
    for expected, observed in zip(*results, strict=True):
        assert (expected is None) == (observed is None)
        if expected is not None and observed is not None:
            assert float((observed - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@needs_wide_vectors
def test_a_frozen_matrix_keeps_nothing_of_what_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    onednn(monkeypatch, there=True)
    kept: list[Tensor] = []
    states, weight = torch.randn(5, HIDDEN, requires_grad=True), torch.randn(HIDDEN, HIDDEN)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        product(states, weight)
    assert [tensor.data_ptr() for tensor in kept] == [weight.data_ptr()]


@needs_wide_vectors
@pytest.mark.parametrize("asked", [False, True])
def test_gelu_in_one_pass_where_nobody_asks_for_gradients(monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    onednn(monkeypatch, there=True)
    linear, states = torch.nn.Linear(HIDDEN, 2 * HIDDEN).requires_grad_(False), 3 * torch.randn(2, 7, HIDDEN)
    expected = functional.gelu(functional.linear(states, linear.weight, linear.bias))
    passes: list[int] = []
    alone = functional.gelu
    monkeypatch.setattr(functional, "gelu", lambda states: passes.append(1) or alone(states))
    made = applied_gelu(linear, states.requires_grad_(asked))
    assert made.requires_grad == asked
    assert len(passes) == asked
    assert float((made.detach() - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@needs_wide_vectors
@pytest.mark.parametrize("kind", ["narrow", "autocast", "float64", "empty"])
def test_what_stays_with_torch(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    onednn(monkeypatch, there=True)
    monkeypatch.setattr(products, "_multiply", None)
    dtype = torch.float64 if kind == "float64" else torch.float32
    size = 48 if kind == "narrow" else HIDDEN
    states = torch.ones(0 if kind == "empty" else 3, size, dtype=dtype)
    weight = torch.ones(size, size, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        assert torch.equal(product(states, weight), functional.linear(states, weight))


def test_rows_are_filled_up() -> None:
    assert len(filled_up(torch.ones(ROWS, 2))) == ROWS
    filled = filled_up(torch.ones(ROWS + 1, 2))
    assert filled.shape == (2 * ROWS, 2)
    assert float(filled.sum()) == 2 * (ROWS + 1)
    assert filled_up(torch.tensor([3, 4])).tolist() == [3, 4] + [0] * (ROWS - 2)


@needs_wide_vectors
@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("places", ["none", "sums", "whole"])
def test_states_and_gradients_of_a_wide_encoder(
    monkeypatch: pytest.MonkeyPatch, backbone: Any, read: bool, places: str
) -> None:
    ids, mask = batch()
    reads = reads_of((mask.numpy() == 1) & (ids.numpy() % 3 == 0)) if read else None
    seen: list[int] = []

    def act(_index: int, total: Tensor, _residual: Tensor, _norm: Any) -> Tensor:
        seen.append(total.shape[:-1].numel())
        return total * 1.5

    acting = None if places == "none" else Places(ffn=act, whole=places == "whole")
    results = []
    for there in (False, True):
        onednn(monkeypatch, there=there)
        backbone.zero_grad()
        states = encode(backbone, ids, mask, acting, reads=reads)
        assert states.shape == (len(LENGTHS), WIDTH, HIDDEN)
        real = states[mask.bool()] if reads is None else states.flatten(0, 1)[reads.positions]
        (real**3).sum().backward()
        results.append([real.detach(), *(p.grad.clone() for p in backbone.parameters())])
    for expected, observed in zip(*results, strict=True):
        assert float((observed - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))
    if places == "sums":
        assert any(count % ROWS for count in seen[:2])
        assert all(count % ROWS == 0 for count in seen[2:]), "oneDNN makes a kernel for every number of rows"
    if places == "whole":
        assert {seen[0], seen[2]} == {len(LENGTHS) * WIDTH}


@needs_wide_vectors
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_the_activation_of_the_configuration(monkeypatch: pytest.MonkeyPatch, activation: str) -> None:
    onednn(monkeypatch, there=True)
    torch.manual_seed(2)
    config = XLMRobertaConfig(
        vocab_size=50, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=40, pad_token_id=1, hidden_act=activation, initializer_range=0.3,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    ids, mask = batch()
    with torch.no_grad():
        ours, theirs = encode(model, ids, mask), model(ids, mask).last_hidden_state
    assert torch.allclose(ours[mask.bool()], theirs[mask.bool()], atol=2e-5)


@needs_wide_vectors
def test_a_lower_layer_comes_out_in_the_rows_of_the_batch(monkeypatch: pytest.MonkeyPatch, backbone: Any) -> None:
    onednn(monkeypatch, there=True)
    ids, mask = batch()
    with torch.no_grad():
        half = encode(backbone, ids, mask, until=1)
        expected = backbone(ids, mask, output_hidden_states=True).hidden_states[1]
    assert torch.allclose(half[mask.bool()], expected[mask.bool()], atol=2e-5)
