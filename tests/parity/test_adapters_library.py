"""Own bottleneck, stack and fusion against the `adapters` library on the same weights: forward, gradients, states."""

from __future__ import annotations

import warnings

import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.variants import encoder
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.library import (
    adapter_from_library,
    adapter_to_library,
    fusion_from_library,
    fusion_to_library,
)
from adapterxfer.variants.model import TransferModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    adapters = pytest.importorskip("adapters")
    from adapters.composition import Fuse, Stack

HIDDEN, LAYERS, SIZE = 48, 3, 12


def new_backbone(attention_dropout: float = 0.0) -> LoadedBackbone:
    config = XLMRobertaConfig(
        vocab_size=60,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=3,
        intermediate_size=96,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=attention_dropout,
        initializer_range=0.15,
    )
    torch.manual_seed(3)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    identity = {"name": "random", "kind": "folder"}
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity=identity,
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def own_model(names: list[str], variant: str, dtype: torch.dtype) -> TransferModel:
    loaded = new_backbone()
    parts = tuple(
        AdapterPart(
            id="t00" if i == len(names) - 1 else f"i{i:02d}",
            role=role,
            name=name,
            method="seq_bn",
            bottleneck_size=SIZE,
        )
        for i, (name, role) in enumerate(zip(names, ["intermediate"] * (len(names) - 1) + ["target"], strict=True))
    )
    heads = (HeadPart("h00", "task", "sequence_classification", ("a", "b")),)
    composition = Composition(variant, parts, heads, "x" if len(names) > 1 else "")  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(7)
    built = {p.id: Adapter(LAYERS, HIDDEN, AdapterShape("seq_bn", SIZE), generator=generator) for p in parts}
    fusion = Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator) if variant == "fuse" else None
    model = TransferModel(loaded, composition, adapters=built, fusion=fusion, heads={"h00": torch.nn.Linear(HIDDEN, 2)})
    with torch.no_grad():  # far from the start values, where every term matters
        for module in (*built.values(), *([fusion] if fusion else [])):
            for parameter in module.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.15)
    model = model.to(dtype).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("adapters.", "fusion.")))
    return model


def library_model(own: TransferModel, dtype: torch.dtype) -> torch.nn.Module:
    names = [part.name for part in own.composition.adapters]
    model = XLMRobertaModel(own.loaded.config, add_pooling_layer=False)
    model.load_state_dict(own.backbone.state_dict())
    adapters.init(model)
    for part in own.composition.adapters:
        model.add_adapter(part.name, config=adapters.SeqBnConfig(reduction_factor=HIDDEN / SIZE))
    state = {}
    for part in own.composition.adapters:
        state |= adapter_to_library(own.adapters[part.id], part.name)  # type: ignore[arg-type]
    if own.fusion is not None:
        model.add_adapter_fusion(names)
        state |= fusion_to_library(own.fusion, names)
        active = Fuse(*names)
    else:
        active = Stack(*names) if len(names) > 1 else names[0]
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys
    model.set_active_adapters(active)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".adapters." in name or "fusion" in name)
    return model.to(dtype).eval()


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(5, 60, (4, 9), generator=generator)
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 4, 8)):
        ids[row, length:], mask[row, length:] = 1, 0
    return ids, mask


def run(model: torch.nn.Module, dtype: torch.dtype) -> torch.Tensor:
    ids, mask = inputs()
    hidden = model(input_ids=ids, attention_mask=mask)
    hidden = hidden if isinstance(hidden, torch.Tensor) else hidden.last_hidden_state
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2)).to(dtype)
    real = hidden[mask.bool()]
    (torch.tanh(real) @ weights).pow(2).mean().backward()
    return real.detach()


CASES = [
    (["target"], "adapter"),
    (["nli", "target"], "stack"),
    (["nli", "target"], "fuse"),
    (["nli", "qa", "target"], "fuse"),
    (["nli", "qa", "mc", "ccg", "target"], "fuse"),
]


@pytest.mark.parametrize(("names", "variant"), CASES)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_same_function_and_gradients(names: list[str], variant: str, dtype: torch.dtype, limit: float) -> None:
    own = own_model(names, variant, dtype)
    library = library_model(own, dtype)
    difference = (run(own, dtype) - run(library, dtype)).abs().max().item()
    assert difference <= limit
    found = {n: p.grad for n, p in library.named_parameters() if p.grad is not None}
    own_grads: dict[str, torch.Tensor] = {}
    for part in own.composition.adapters:
        own_grads |= adapter_to_library(own.adapters[part.id], part.name, gradients=True)  # type: ignore[arg-type]
    if own.fusion is not None:
        own_grads |= fusion_to_library(own.fusion, [p.name for p in own.composition.adapters], gradients=True)
    assert own_grads.keys() == found.keys()
    for name, gradient in found.items():
        scale = max(1.0, gradient.abs().max().item())
        assert (own_grads[name] - gradient).abs().max().item() <= limit * scale, name


@pytest.mark.parametrize("narrow", [0, encoder.NARROW])
def test_backbone_alone_is_bit_identical(monkeypatch: pytest.MonkeyPatch, narrow: int) -> None:
    """To the bit, unless keys are padded for narrow heads: then to rounding."""
    monkeypatch.setattr(encoder, "NARROW", narrow)
    own = own_model(["target"], "adapter", torch.float32)
    ids, mask = inputs()
    with own.without("t00"), torch.no_grad():
        found = own(ids, mask)
    with torch.no_grad():
        expected = own.backbone(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        layers = [own.hidden_states(ids, mask, layer=0), expected.hidden_states[0]]
    difference = (found - expected.last_hidden_state)[mask.bool()].abs().max().item()
    assert own.backbone.config.hidden_size // own.backbone.config.num_attention_heads <= 16
    assert difference == 0.0 if narrow == 0 else 0.0 < difference < 2e-6
    assert torch.equal(*layers)


def test_fusion_dropout_is_the_librarys() -> None:
    """With one dropped score, the softmax must see 0 in its place, constant term included."""
    own = own_model(["nli", "target"], "fuse", torch.float64)
    assert own.fusion is not None
    layer = own.fusion[0].train()
    library = library_model(own, torch.float64).encoder.layer[0].output.adapter_fusion_layer["nli,target"].train()
    norm = torch.nn.LayerNorm(HIDDEN).double()
    total = torch.randn(2, 5, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    fused = [own.adapters["i00"][0], own.adapters["t00"][0]]  # type: ignore[index]
    ups = [a.up(torch.relu(a.down(norm(total)))) for a in fused]
    layer.dropout, library.dropout.p = 0.4, 0.4
    torch.manual_seed(5)
    mixed = layer(total, norm, fused)
    torch.manual_seed(5)
    stacked = torch.stack(ups, dim=2)
    expected = library(norm(total), stacked, stacked, total.clone())
    assert (mixed - expected).abs().max().item() < 1e-12


def test_penalty_is_the_librarys() -> None:
    own = own_model(["nli", "target"], "fuse", torch.float64)
    assert own.fusion is not None
    library = library_model(own, torch.float64)
    library.get_fusion_regularization_loss().backward()
    for layer in own.fusion:
        layer.value.weight.grad = torch.zeros_like(layer.value.weight)
    own.fusion.add_penalty_gradients(3.0)
    ours = fusion_to_library(own.fusion, ["nli", "target"], gradients=True)
    found = {name: p.grad for name, p in library.named_parameters() if p.grad is not None}
    assert len(found) == LAYERS
    for name, gradient in found.items():
        assert (ours[name] - 3.0 * gradient).abs().max().item() < 1e-12


def test_states_convert_both_ways() -> None:
    own = own_model(["nli", "qa", "target"], "fuse", torch.float32)
    assert own.fusion is not None
    library = library_model(own, torch.float32).state_dict()
    names = [part.name for part in own.composition.adapters]
    back = adapter_from_library(library, "qa", "seq_bn")
    assert all(torch.equal(back[name], tensor) for name, tensor in own.adapters["i01"].state_dict().items())
    fusion = fusion_from_library(library, names)
    assert fusion.keys() == own.fusion.state_dict().keys()
    assert all(torch.equal(fusion[name], tensor) for name, tensor in own.fusion.state_dict().items())


def test_start_values_follow_the_librarys_rule() -> None:
    """Same distribution: deviation 0.02, zero biases, value the identity plus 1e-6."""
    model = XLMRobertaModel(new_backbone().config, add_pooling_layer=False)
    adapters.init(model)
    for name in ("a", "b"):
        model.add_adapter(name, config=adapters.SeqBnConfig(reduction_factor=2))
    model.add_adapter_fusion(["a", "b"])
    generator = torch.Generator().manual_seed(0)
    own = Adapter(LAYERS, HIDDEN, AdapterShape("seq_bn", HIDDEN // 2), generator=generator)
    fusion = Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator)
    ours = adapter_to_library(own, "a") | fusion_to_library(fusion, ["a", "b"])
    state = model.state_dict()
    for name, tensor in ours.items():
        theirs = state[name]
        assert theirs.shape == tensor.shape
        if "value" in name or name.endswith("bias"):
            assert torch.equal(theirs, tensor), name
        else:
            assert abs(theirs.std().item() - tensor.std().item()) < 0.003, name
