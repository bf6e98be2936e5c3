"""Every method in every composition it allows, on a tiny encoder of every architecture, through the whole table."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from merged_oracle import merged_backbone
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.capabilities import capabilities
from adapterxfer.errors import VariantError
from adapterxfer.variants import encoder, lowrank
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.assertions import check
from adapterxfer.variants.bottleneck import DoubleBottleneck, ParallelBottleneck
from adapterxfer.variants.lowrank import Dora, LowRank, Rescale
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.storage import (
    load_adapter,
    load_backbone_weights,
    load_model,
    read_description,
    write_description,
    write_weights,
)

Make = Callable[..., AssertionInput]
CELLS = [
    (cell.composition, cell.method or "seq_bn", cell.architecture)
    for cell in capabilities().values()
    if cell.works and cell.composition != "merge"  # a merged model is one of the others; see test_merging
]
CELLS += [("adapter", cell[1], cell[2]) for cell in CELLS if cell[0] == "sequential"]


def train_a_little(found: AssertionInput) -> None:
    """Two real steps: gradients must reach everything that trains and nothing else."""
    model = found.model
    optimiser = torch.optim.SGD(model.trainable().values(), lr=0.02)
    model.train()
    for _ in range(2):
        hidden = model(found.batch.input_ids, found.batch.attention_mask)
        loss = model.head("pos")(hidden, found.batch).square().sum() + hidden[found.real].square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert all(parameter.grad is None for parameter in model.backbone.parameters()) or model.composition.trains_backbone
    model.eval()


@pytest.mark.parametrize(("variant", "method", "model_type"), CELLS)
def test_all_assertions_hold(variant: str, method: str, model_type: str, evidence_of: Make) -> None:
    found = evidence_of(variant, method, model_type)
    before = state_fingerprint(found.model.state_dict())
    check("built", found)
    assert state_fingerprint(found.model.state_dict()) == before
    train_a_little(found)
    check("trained", found)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_without_adapters_an_encoder_is_what_it_was(
    model_type: str, evidence_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "NARROW", 0)  # with keys padded for narrow heads it is so to rounding only
    found = evidence_of("stack", "seq_bn", model_type)
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    with found.model.without("i00", "t00"), torch.no_grad():
        own = found.model.eval()(ids, mask)
        layers = [found.model.hidden_states(ids, mask, layer=index) for index in range(3)]
    with torch.no_grad():
        plain = found.pristine(input_ids=ids, attention_mask=mask, output_hidden_states=True)  # type: ignore[misc]
    assert torch.equal(own[found.real], plain.last_hidden_state[found.real])
    assert torch.equal(layers[0][found.real], plain.hidden_states[0][found.real])
    assert torch.equal(layers[1][found.real], plain.hidden_states[1][found.real])
    assert torch.equal(layers[2], own)
    shared = {tensor.data_ptr() for tensor in found.pristine.parameters()}  # type: ignore[union-attr]
    assert {tensor.data_ptr() for tensor in found.model.backbone.parameters()} == shared


@pytest.mark.parametrize("model_type", ARCHITECTURES)
@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "vera", "ia3"])
@pytest.mark.parametrize("variant", ["sequential", "stack"])
def test_active_is_merged(variant: str, method: str, model_type: str, evidence_of: Make) -> None:
    found = evidence_of(variant, method, model_type)
    train_a_little(found)
    before = state_fingerprint(found.model.loaded.model.state_dict())
    merged = merged_backbone(found.model)
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    with torch.no_grad():
        active = found.model(ids, mask)[found.real]
        alone = merged.model(input_ids=ids, attention_mask=mask).last_hidden_state[found.real]
        untouched = found.model.loaded.model(input_ids=ids, attention_mask=mask).last_hidden_state[found.real]
    assert (active - alone).abs().max().item() <= 1e-5 * max(1.0, alone.abs().max().item())
    assert (active - untouched).abs().max().item() > 1e-2
    assert state_fingerprint(found.model.loaded.model.state_dict()) == before


@pytest.mark.parametrize("model_type", ARCHITECTURES)
@pytest.mark.parametrize(
    ("variant", "method"),
    [("full-ft", "seq_bn"), ("stack", "double_seq_bn"), ("stack", "dora"), ("stack", "vera"), ("fuse", "seq_bn")],
)
def test_stored_and_loaded(
    variant: str,
    method: str,
    model_type: str,
    evidence_of: Make,
    tiny_of: Callable[[str], LoadedBackbone],
    tmp_path: Path,
) -> None:
    found = evidence_of(variant, method, model_type)
    train_a_little(found)
    write_weights(tmp_path, found.model)
    write_description(tmp_path, found.model)
    pristine = found.model.loaded if variant != "full-ft" else tiny_of(model_type)
    again = load_model(tmp_path, pristine, make_head=lambda part: copy.deepcopy(found.model.heads[part.id]))
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    with torch.no_grad():
        assert torch.equal(again(ids, mask), found.model.eval()(ids, mask))
    if variant == "full-ft":
        tuned = load_backbone_weights(read_description(tmp_path), pristine)
        assert state_fingerprint(tuned.model.state_dict()) == state_fingerprint(found.model.loaded.model.state_dict())
    else:
        adapter = load_adapter(read_description(tmp_path), "i00", pristine)
        assert state_fingerprint(adapter.state_dict()) == state_fingerprint(found.model.adapters["i00"].state_dict())


def test_bottlenecks_cannot_be_merged(evidence_of: Make) -> None:
    with pytest.raises(VariantError, match="seq_bn, seq_bn"):
        merged_backbone(evidence_of("stack").model)


def test_a_stack_of_loras_is_their_sum(evidence_of: Make) -> None:
    model = evidence_of("stack", "lora").model
    with torch.no_grad():
        for second in model.adapters["t00"][0].second.values():  # type: ignore[index]
            second.normal_()
    linear = model.loaded.linears[0]["query"]
    states = torch.randn(2, 3, linear.in_features)
    places = model._adapt()
    assert places is not None
    assert places.linear is not None
    deltas = sum(model.adapters[p][0].delta("query") for p in ("i00", "t00"))  # type: ignore[index]
    expected = linear(states) + states @ deltas.t()  # type: ignore[union-attr]
    assert (places.linear(0, "query", linear, states) - expected).abs().max().item() < 1e-5


def mutant_product(self: LowRank, role: str, linear: Any, states: Tensor, base: Tensor, now: Tensor) -> Tensor:
    """The upper LoRA applied to what the lower one gave, alone: with a fresh upper one the lower vanishes."""
    if role not in self.first:
        return now
    return base + self.scales[role] * (now @ self.first[role].t()) @ self.second[role].t()


def mutant_scaled_bias(self: Dora, role: str, linear: Any, states: Tensor, base: Tensor, now: Tensor) -> Tensor:
    """DoRA without the scale in the row lengths."""
    if role not in self.first:
        return now
    lengths = (linear.weight + self.second[role] @ self.first[role] + 1).norm(dim=1)
    return now * self.magnitude[role] / lengths


def mutant_gate(self: Any, total: Tensor, residual: Tensor, norm: Any) -> Tensor:
    """A gate averaged over all positions, padding included."""
    return total * (1 + 0.1 * residual.mean(dim=1, keepdim=True))


def mutant_norm(self: Any, total: Tensor, residual: Tensor, norm: Any) -> Tensor:
    return torch.nn.functional.layer_norm(total, total.shape[-1:])


MUTANTS = [
    ("intermediate-matters", "stack", "lora", LowRank, "linear_output", mutant_product),
    ("neutral-when-zero", "adapter", "dora", Dora, "linear_output", mutant_scaled_bias),
    ("effect-at-start", "stack", "dora", Dora, "linear_output", mutant_scaled_bias),
    ("padding-invariance", "sequential", "double_seq_bn", DoubleBottleneck, "attention", mutant_gate),
    ("neutral-when-zero", "adapter", "par_bn", ParallelBottleneck, "ffn", mutant_norm),
    ("neutral-when-zero", "stack", "double_seq_bn", DoubleBottleneck, "ffn", mutant_norm),
    ("intermediate-matters", "stack", "ia3", Rescale, "linear_output", lambda self, r, li, s, base, now: base),
]


@pytest.mark.parametrize(("assertion", "variant", "method", "kind", "name", "mutant"), MUTANTS)
def test_mutants_of_methods_are_caught(
    assertion: str, variant: str, method: str, kind: type, name: str, mutant: Any, evidence_of: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = evidence_of(variant, method)
    if kind is Rescale:
        monkeypatch.setattr(kind, "linear_input", lambda self, role, states: states)
    monkeypatch.setattr(kind, name, mutant)
    with pytest.raises(VariantError) as caught:
        check("built", found)
    assert f"\n  {assertion}: " in str(caught.value)


def test_shapes_of_recipes() -> None:
    assert AdapterShape.of({"method": "par_bn", "reduction_factor": 16}, 64) == AdapterShape("par_bn", 4)
    assert AdapterShape.of({"method": "double_seq_bn", "bottleneck_size": 48}, 64) == AdapterShape("double_seq_bn", 48)
    assert AdapterShape.of({"method": "lora", "rank": 8}, 64) == AdapterShape("lora", 8)
    assert AdapterShape.of({"method": "ia3"}, 64) == AdapterShape("ia3", 1)
    for wrong in ({"method": "lora", "reduction_factor": 2}, {"method": "ia3", "rank": 1}, {"method": "seq_bn"}):
        with pytest.raises(VariantError, match="expected one of"):
            AdapterShape.of(wrong, 64)


def test_vera_trains_vectors_only(evidence_of: Make) -> None:
    model = evidence_of("adapter", "vera").model
    shapes = {tuple(p.shape) for n, p in model.trainable().items() if n.startswith("adapters.")}
    assert shapes == {(4,), (32,)}
    assert not [name for name in model.own_state() if "projections" in name]


def test_vera_projections_never_change() -> None:
    """They are not stored, so another draw would send all stored VeRA adapters out of date."""
    found = lowrank.VeraProjections(3, 2, 2)
    again = lowrank.VeraProjections(3, 2, 2)
    assert torch.equal(found.get_buffer("inner"), again.get_buffer("inner"))
    torch.manual_seed(123)
    assert torch.equal(found.get_buffer("outer"), lowrank.VeraProjections(3, 2, 2).get_buffer("outer"))


def test_own_modes_of_dropout(tiny_of: Callable[[str], LoadedBackbone], evidence_of: Make) -> None:
    """Training one model must not switch dropout on in the shared backbone or in another model."""
    first, second = evidence_of("adapter", "seq_bn", "deberta-v2"), evidence_of("adapter", "seq_bn", "deberta-v2")
    ids, mask = first.batch.input_ids, first.batch.attention_mask
    second.model.eval()
    with torch.no_grad():
        expected = second.model(ids, mask)
        noisy = [first.model.train()(ids, mask) for _ in range(2)]
        assert not torch.equal(*noisy)
        assert torch.equal(second.model(ids, mask), expected)
    assert not any(module.training for module in tiny_of("deberta-v2").model.modules())
