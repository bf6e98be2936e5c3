"""Adapters of several models in one pass, on every architecture and with every method that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterxfer.catalog import METHODS
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.methods import names_of
from adapterxfer.formats.reads import Reads, reads_of
from adapterxfer.variants.adapters_together import Together, cut
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.model import TransferModel

METHODS_TOGETHER = names_of(lambda spec: spec.batched)
PAD, ROWS, WIDTH = 1, (2, 3), 9


def model_of(
    evidence_of: Callable[..., AssertionInput], variant: str, method: str, architecture: str, seed: int
) -> Any:
    model = evidence_of(variant, method, architecture).model.eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.adapters.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


def leaves(models: list[TransferModel]) -> Mapping[str, Tensor]:
    named = [model.trainable() for model in models]
    return {name: torch.stack([own[name].detach() for own in named]).requires_grad_() for name in named[0]}


def inputs() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(5, 50, (sum(ROWS), WIDTH), generator=torch.Generator().manual_seed(4))
    mask = torch.ones_like(tokens)
    for row, length in enumerate((9, 4, 7, 9, 5)):
        tokens[row, length:], mask[row, length:] = PAD, 0
    return tokens, mask


def joint(models: list[TransferModel], stacked: Mapping[str, Tensor], reads: Reads | None, read: Any) -> Tensor:
    tokens, mask = inputs()
    together = Together(models, stacked)
    return together.forward(tokens, mask, reads, rows=cut([rows * WIDTH for rows in ROWS]), read=read)


CASES = [(variant, "seq_bn", name) for variant in ("adapter", "stack") for name in ARCHITECTURES] + [
    ("stack", method, name) for method in METHODS_TOGETHER[1:] for name in ("xlm-roberta", "deberta-v2")
]


@pytest.mark.parametrize(("variant", "method", "architecture"), CASES)
def test_every_model_computes_what_it_computes_alone(
    evidence_of: Callable[..., AssertionInput], variant: str, method: str, architecture: str
) -> None:
    """Forward and backward, with other numbers of rows for each model."""
    models = [model_of(evidence_of, variant, method, architecture, seed) for seed in (1, 2)]
    tokens, mask = inputs()
    stacked = leaves(models)
    found = joint(models, stacked, None, None)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(3)) * mask.unsqueeze(2)
    (found * weight).sum().backward()
    first = 0
    for number, (model, rows) in enumerate(zip(models, ROWS, strict=True)):
        part = slice(first, first := first + rows)
        alone = model(tokens[part], mask[part])
        real = mask[part].bool()
        assert (found[part] - alone)[real].abs().max().item() < 2e-5
        (alone * weight[part]).sum().backward()
        for name, parameter in model.trainable().items():
            if name.startswith("adapters."):
                gradient = stacked[name].grad
                assert gradient is not None
                assert parameter.grad is not None
                scale = parameter.grad.abs().max().item()
                assert (gradient[number] - parameter.grad).abs().max().item() < 2e-5 * max(1.0, scale), name
    with torch.no_grad():
        swapped = joint(models[::-1], {name: tensor.flip(0) for name, tensor in stacked.items()}, None, None)
    assert (swapped - found)[mask.bool()].abs().max().item() > 1e-3


@pytest.mark.parametrize("method", METHODS_TOGETHER)
def test_reads_of_the_last_layer_follow_their_models(evidence_of: Callable[..., AssertionInput], method: str) -> None:
    """The last layer gets the positions that are read as one row; the models have read other numbers of them."""
    models = [model_of(evidence_of, "stack", method, "xlm-roberta", seed) for seed in (1, 2)]
    _, mask = inputs()
    wanted = mask.bool().numpy().copy()
    wanted[:, 1::3] = False
    counts = [int(wanted[:2].sum()), int(wanted[2:].sum())]
    assert counts[0] != counts[1]
    stacked, reads = leaves(models), reads_of(wanted)
    everything = joint(models, stacked, None, None)
    read = joint(models, stacked, reads, cut(counts))
    assert (read - everything)[torch.from_numpy(wanted)].abs().max().item() < 2e-5
    assert read[~torch.from_numpy(wanted)].abs().max().item() == 0
    wrong = joint(models, stacked, reads, cut([counts[0] + 3, counts[1] - 3]))
    assert (wrong - everything)[torch.from_numpy(wanted)].abs().max().item() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_can_be_batched_say_how(method: str) -> None:
    """One formula for each place, over networks that the module has."""
    spec = METHODS[method]
    if not spec.batched:
        return
    assert set(spec.kind.formulas) == set(spec.places)
    assert METHODS_TOGETHER == ("seq_bn", "double_seq_bn", "par_bn")
