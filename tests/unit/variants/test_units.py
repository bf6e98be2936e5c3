"""Layers of the own forward pass that run inside calls of their modules, for what hooks into such calls."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.variants.encoder import encode, run_as_units


@pytest.mark.parametrize("recompute", [False, True])
def test_units_compute_the_same_bits_and_are_called(tiny_of: Callable[[str], LoadedBackbone], recompute: bool) -> None:
    plain = copy.deepcopy(tiny_of("xlm-roberta").model).requires_grad_(True)
    units = copy.deepcopy(plain)
    run_as_units(units)
    called: list[int] = []
    for index, layer in enumerate(units.encoder.layer):
        layer.register_forward_hook(lambda *_, index=index: called.append(index))
    ids = torch.tensor([[0, 9, 8, 7, 2], [0, 7, 2, 1, 1]])
    mask = ids.ne(1).long()
    gradients = []
    for model in (plain, units):
        torch.manual_seed(3)
        states = encode(model, ids, mask, training=True, recompute=recompute)
        states.pow(2).sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
        if model is plain:
            expected = states
    assert torch.equal(states, expected)
    assert called == [0, 1]
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.equal(tensor, gradients[1][name]) for name, tensor in gradients[0].items())
