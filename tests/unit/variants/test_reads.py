"""The last layer computes only what is read: the same states there, the same gradients, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from adapterxfer.catalog.capabilities import capabilities
from adapterxfer.formats.reads import Reads, first_tokens, reads_of
from adapterxfer.variants import products
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.measures import AssertionInput

Make = Callable[..., AssertionInput]
CELLS = [
    (cell.composition, cell.method or "seq_bn", cell.architecture)
    for cell in capabilities().values()
    # the encoders of the library compute everything: one composition shows that reads do not disturb them
    if cell.works
    and cell.composition != "merge"
    and (cell.architecture == "xlm-roberta" or (cell.composition, cell.method) == ("stack", "seq_bn"))
]
UNEVEN = np.array([[0, 1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1, 0]], dtype=bool)
"""Of the rows of `inputs`, whose second row has padding at its end."""


def read(hidden: Tensor, reads: Reads) -> Tensor:
    return hidden.flatten(0, 1).index_select(0, reads.positions)


def gradients(found: AssertionInput, reads: Reads, *, whole: bool) -> list[Tensor]:
    model = found.model
    for parameter in model.trainable().values():
        parameter.grad = None
    hidden = model(found.batch.input_ids, found.batch.attention_mask, None if whole else reads)
    read(hidden, reads).square().sum().backward()
    return [
        torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for parameter in model.trainable().values()
    ]


@pytest.mark.parametrize(("variant", "method", "model_type"), CELLS)
def test_states_and_gradients_are_the_same(variant: str, method: str, model_type: str, evidence_of: Make) -> None:
    found = evidence_of(variant, method, model_type)
    found.model.eval()
    for reads in (first_tokens(3, 7), reads_of(UNEVEN)):
        with torch.no_grad():
            whole = found.model(found.batch.input_ids, found.batch.attention_mask)
            part = found.model(found.batch.input_ids, found.batch.attention_mask, reads)
        assert part.shape == whole.shape
        assert (read(part, reads) - read(whole, reads)).abs().max().item() < 2e-6
        if variant == "head-only":
            continue  # only the head trains, and it is not here
        for mine, its in zip(gradients(found, reads, whole=False), gradients(found, reads, whole=True), strict=True):
            assert torch.allclose(mine, its, rtol=1e-4, atol=2e-5 * max(1.0, its.abs().max().item()))


def rows_of_last_ffn(found: AssertionInput, reads: Reads | None) -> int:
    seen: list[int] = []
    layer = found.model.backbone.encoder.layer[-1]
    handle = layer.attention.output.LayerNorm.register_forward_hook(
        lambda _, arguments, __: seen.append(arguments[0].shape[:-1].numel())
    )
    with torch.no_grad():
        found.model(found.batch.input_ids, found.batch.attention_mask, reads)
    handle.remove()
    (rows,) = seen
    return rows


def test_the_last_layer_computes_nothing_else(evidence_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_has_wide_vectors", lambda: False)  # with them, rows are filled up
    found = evidence_of("stack")
    assert rows_of_last_ffn(found, None) == 21
    assert rows_of_last_ffn(found, reads_of(UNEVEN)) == int(UNEVEN.sum())
    assert rows_of_last_ffn(found, first_tokens(3, 7)) == 3
    # an adapter that acts on whole sequences after a layer needs all of it
    assert rows_of_last_ffn(evidence_of("adapter", "loreft"), first_tokens(3, 7)) == 21


@pytest.mark.parametrize("case", ["eager", "recompute", "bf16", "upper"])
def test_in_every_way_of_computing(case: str, evidence_of: Make) -> None:
    found = evidence_of("stack")
    model, reads = found.model.eval(), reads_of(UNEVEN)
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    arguments: dict[str, Any] = {}
    before = model.backbone.config._attn_implementation
    if case == "eager":
        model.backbone.config._attn_implementation = "eager"
    if case == "recompute":
        arguments = {"recompute": True}
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=case == "bf16"):
            whole = encode(model.backbone, ids, mask, model._adapt(), **arguments)
            part = encode(model.backbone, ids, mask, model._adapt(), reads=reads, **arguments)
            if case == "upper":
                below = model.hidden_states(ids, mask, layer=1)
                with model.without("i00", "t00"):
                    whole = model.upper(below, mask, layer=1)
                    part = model.upper(below, mask, layer=1, reads=reads)
    finally:
        model.backbone.config._attn_implementation = before
    assert part.dtype == whole.dtype
    assert (read(part, reads) - read(whole, reads)).abs().max().item() < (0.05 if case == "bf16" else 2e-6)
    if case != "upper":
        read(part, reads).sum().backward()
        assert all(p.grad is not None for p in model.adapters["t00"].parameters())
