"""Merged weights are what they are said to be: sums of updates, averages, differences from the start values."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from adapterxfer.catalog.capabilities import Capability, capabilities
from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.errors import VariantError
from adapterxfer.variants.composition import Composition
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.merging import MergeMember, merge
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import assemble

Make = Callable[..., AssertionInput]


def member(make: Make, variant: str, method: str, weight: float, shift: float = 0.0) -> MergeMember:
    found = make(variant, method)
    with torch.no_grad():
        for number, tensor in enumerate(found.model.own_state().values()):
            tensor.add_(shift * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(number)))
    state = {name: tensor.clone() for name, tensor in found.model.own_state().items()}
    return MergeMember(found.model.composition, state, weight)


def hidden(make: Make, composition: Composition, state: dict[str, Tensor]) -> Tensor:
    """Hidden states of a backbone with adapters of this state."""
    from adapterxfer.variants.adapter import AdapterShape
    from adapterxfer.variants.storage import empty_adapter

    found = make("sequential", composition.adapters[0].method)
    model = TransferModel(
        found.model.loaded,
        composition,
        adapters={
            p.id: empty_adapter(found.model.loaded, AdapterShape(p.method, p.bottleneck_size))
            for p in composition.adapters
        },
        fusion=None,
        heads=dict(found.model.heads),
    ).eval()
    with torch.no_grad():
        for name, tensor in model.own_state().items():
            tensor.copy_(state[name])
        out: Tensor = model(found.batch.input_ids, found.batch.attention_mask)
    return out


@pytest.mark.parametrize("method", ["lora", "rslora"])
def test_low_rank_updates_are_summed_not_their_factors(method: str, evidence_of: Make) -> None:
    members = [member(evidence_of, "sequential", method, weight, shift) for weight, shift in ((0.3, 0.1), (0.7, -0.2))]
    composition, state = merge(members)
    assert composition.adapters[0].bottleneck_size == 2 * members[0].composition.adapters[0].bottleneck_size

    def update(state: dict[str, Tensor], size: int, name: str) -> Tensor:
        first, second = (
            state[f"adapters.t00.{name[0]}.first.{name[1:]}"],
            state[f"adapters.t00.{name[0]}.second.{name[1:]}"],
        )
        return METHODS[method].scale(size) * second @ first

    size = members[0].composition.adapters[0].bottleneck_size
    for name in ("0query", "1value"):
        expected = sum(m.weight * update(dict(m.state), size, name) for m in members)
        found = update(state, 2 * size, name)
        assert torch.allclose(found, expected, atol=1e-6)
        averaged = {n: 0.3 * members[0].state[n] + 0.7 * members[1].state[n] for n in members[0].state}
        # The trap: averaged factors hold products between the two models.
        assert (update(averaged, size, name) - expected).abs().max() > 1e-2
    assert torch.isfinite(hidden(evidence_of, composition, state)).all()


@pytest.mark.parametrize("method", names_of(lambda spec: spec.merges))
def test_a_model_averaged_with_itself_is_itself(method: str, evidence_of: Make) -> None:
    """The trap of the library's `Average`, which divides twice."""
    one = member(evidence_of, "sequential", method, 0.5)
    composition, state = merge([one, one])
    expected = hidden(evidence_of, one.composition, dict(one.state))
    assert torch.allclose(hidden(evidence_of, composition, state), expected, atol=1e-6)


def test_task_arithmetic_counts_from_the_start(evidence_of: Make) -> None:
    first, second = (
        member(evidence_of, "sequential", "seq_bn", 1.0),
        member(evidence_of, "sequential", "seq_bn", 0.0, 0.3),
    )
    start = {name: torch.full_like(tensor, 0.25) for name, tensor in first.state.items()}
    _, state = merge([first, second], start)
    for name, tensor in state.items():
        assert torch.allclose(tensor, first.state[name], atol=1e-7)
    _, state = merge([replace(first, weight=0.0), second], start)
    assert all(torch.equal(t, start[n]) for n, t in state.items() if not n.startswith("heads."))
    _, state = merge([replace(first, weight=0.5), replace(second, weight=2.0)], start)
    name = "adapters.t00.1.up.weight"
    expected = 0.25 + 0.5 * (first.state[name] - 0.25) + 2.0 * (second.state[name] - 0.25)
    assert torch.allclose(state[name], expected, atol=1e-6)


def test_only_equal_heads_are_averaged(evidence_of: Make) -> None:
    first, second = member(evidence_of, "stack", "seq_bn", 0.5), member(evidence_of, "stack", "seq_bn", 0.5, 0.4)
    _, state = merge([first, second])
    name = "heads.h00.weight"
    assert torch.allclose(state[name], (first.state[name] + second.state[name]) / 2)
    head = replace(second.composition.heads[0], task="other")
    _, state = merge([first, replace(second, composition=replace(second.composition, heads=(head,)))])
    assert torch.equal(state[name], first.state[name])
    adapter = "adapters.i00.0.down.weight"
    assert torch.allclose(state[adapter], (first.state[adapter] + second.state[adapter]) / 2)


def test_what_cannot_be_merged(evidence_of: Make) -> None:
    one = member(evidence_of, "sequential", "seq_bn", 0.5)
    for members, text in (
        ([one], "two models"),
        ([one, replace(one, weight=0.6)], "add up to 1.1"),
        ([one, replace(one, weight=float("nan"))], "not finite"),
        ([one, member(evidence_of, "sequential", "lora", 0.5)], "cannot be merged"),
        ([one, member(evidence_of, "stack", "seq_bn", 0.5)], "'stack' cannot be merged into one of 'sequential'"),
        ([member(evidence_of, "sequential", "vera", 0.5)] * 2, "'vera' cannot be merged"),
        ([member(evidence_of, "sequential", "dora", 0.5)] * 2, "'dora' cannot be merged"),
    ):
        with pytest.raises(VariantError, match=text):
            merge(members)


@pytest.mark.parametrize(
    "cell", [c for c in capabilities().values() if c.works and c.composition == "merge" and c.method != "seq_bn"],
    ids=lambda cell: f"{cell.architecture}-{cell.method}",
)  # fmt: skip
def test_every_cell_that_runs_is_merged_and_loads(cell: Capability, evidence_of: Make) -> None:
    found = evidence_of("sequential", cell.method, cell.architecture)
    state = found.model.own_state()
    one = MergeMember(found.model.composition, state, 0.25)
    # Not by one factor: where a norm follows every block it would take it back.
    moved = {name: tensor * (1 + torch.rand_like(tensor)) for name, tensor in state.items()}
    other = MergeMember(one.composition, moved, 0.75)
    composition, merged = merge([one, other])
    model = assemble(
        composition,
        found.model.loaded,
        merged,
        make_head=lambda part: copy.deepcopy(found.model.heads[part.id]),
        where="m",
    )
    with torch.no_grad():
        logits = [m.eval()(found.batch.input_ids, found.batch.attention_mask)[found.real] for m in (model, found.model)]
    assert not torch.allclose(*logits, atol=1e-4)
