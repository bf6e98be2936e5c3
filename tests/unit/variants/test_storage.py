"""Model folders: what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart, colliding_names
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.library import adapter_from_library
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import (
    load_adapter,
    load_model,
    read_description,
    write_description,
    write_weights,
)

HIDDEN, LAYERS = 16, 2
HEADS = (HeadPart("h00", "nli", "sequence_classification", ("yes", "no", "maybe")),)


def backbone(seed: int = 1, layers: int = LAYERS) -> LoadedBackbone:
    config = XLMRobertaConfig(
        vocab_size=20,
        hidden_size=HIDDEN,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(seed)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "tiny"},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def fused_model() -> TransferModel:
    generator = torch.Generator().manual_seed(2)
    sizes = {"i00": 4, "t00": 6}
    adapters = {
        part: Adapter(LAYERS, HIDDEN, AdapterShape("seq_bn", size), generator=generator) for part, size in sizes.items()
    }
    parts = tuple(
        AdapterPart(
            id=part,
            role="target" if part == "t00" else "intermediate",
            name=part,
            method="seq_bn",
            bottleneck_size=size,
        )
        for part, size in sizes.items()
    )
    fusion = Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator)
    composition = Composition("fuse", parts, HEADS, "nli")
    return TransferModel(backbone(), composition, adapters=adapters, fusion=fusion, heads={"h00": make_head(HEADS[0])})


def make_head(part: HeadPart) -> nn.Module:
    return nn.Linear(HIDDEN, len(part.labels))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = fused_model()
    write_weights(tmp_path, model)
    write_description(tmp_path, model, note=1)
    return tmp_path


def test_round_trip(folder: Path) -> None:
    expected = fused_model()
    loaded = load_model(folder, backbone(), make_head=make_head)
    ids = torch.tensor([[0, 5, 6, 2, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    with torch.no_grad():
        assert torch.equal(loaded(ids, mask), expected.eval()(ids, mask))
    assert not loaded.training
    assert loaded.composition == expected.composition
    assert set(loaded.trainable()) == set(expected.trainable())
    assert read_description(folder).content["note"] == 1
    assert {path.name for path in folder.iterdir()} == {"model.json", "model.safetensors"}


def _change(edit: Callable[[dict[str, Tensor]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        edit(state)
        save_file(state, folder / "model.safetensors")

    return apply


def _describe(edit: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / "model.json").read_text())
        edit(content)
        (folder / "model.json").write_text(json.dumps(content))

    return apply


NAME = "adapters.i00.0.up.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change(lambda state: state.pop(NAME)), f"missing {NAME}"),
        (_change(lambda state: state.update(surplus=torch.zeros(2))), "unknown surplus"),
        (_change(lambda state: state.update({NAME: torch.zeros(16, 5)})), rf"{NAME} is torch.float32 \(16, 5\)"),
        (_change(lambda state: state.update({NAME: state[NAME].half()})), f"{NAME} is torch.float16"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: not found"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "cannot be read"),
        (lambda folder: (folder / "model.json").unlink(), "model.json: not found"),
        (lambda folder: (folder / "model.json").write_text("{"), "not valid JSON"),
        (_describe(lambda content: content.update(schema=99)), "schema 99; this version of adapterxfer reads schema 1"),
        (_describe(lambda content: content["composition"].update(variant="stack", adapters=[])), "cannot|can be built"),
    ],
)
def test_damaged_folders_are_refused(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(VariantError, match=message) as caught:
        load_model(folder, backbone(), make_head=make_head)
    assert caught.value.fix


def test_other_backbones_are_refused(folder: Path) -> None:
    with pytest.raises(VariantError, match="fingerprint"):
        load_model(folder, backbone(seed=2), make_head=make_head)
    with pytest.raises(VariantError, match="fingerprint"):
        load_adapter(read_description(folder), "i00", backbone(seed=2))
    assert load_adapter(read_description(folder), "i00", backbone()).shape.bottleneck_size == 4


def test_adapter_of_another_depth_is_refused() -> None:
    shallow = Adapter(1, HIDDEN, AdapterShape("seq_bn", 4), generator=torch.Generator())
    composition = Composition(
        "adapter", (AdapterPart(id="t00", role="target", name="nli", method="seq_bn", bottleneck_size=4),), HEADS
    )
    with pytest.raises(VariantError, match="has 1 layers, backbone 'tiny' has 2"):
        TransferModel(
            backbone(), composition, adapters={"t00": shallow}, fusion=None, heads={"h00": make_head(HEADS[0])}
        )


@pytest.mark.parametrize(
    ("adapter", "expected"),
    [
        ({"method": "seq_bn", "reduction_factor": 4}, 4),
        ({"method": "seq_bn", "reduction_factor": 16}, 1),
        ({"method": "seq_bn", "reduction_factor": 99}, 1),
        ({"method": "seq_bn", "bottleneck_size": 7}, 7),
        ({"method": "seq_bn_inv", "reduction_factor": 2}, HIDDEN // 2),
        ({"method": "seq_bn_inverse", "reduction_factor": 2}, "adapter method 'seq_bn_inverse'"),
        ({"method": "seq_bn"}, "expected one of"),
        ({"method": "seq_bn", "bottleneck_size": 7, "reduction_factor": 2}, "expected one of"),
        ({"method": "seq_bn", "bottleneck_size": 0}, "expected one of"),
        ({"method": "seq_bn", "bottleneck_size": 7, "dropout": 0.1}, "expected one of"),
    ],
)
def test_adapter_shapes(adapter: dict[str, Any], expected: int | str) -> None:
    if isinstance(expected, int):
        assert AdapterShape.of(adapter, HIDDEN).bottleneck_size == expected
    else:
        with pytest.raises(VariantError, match=expected):
            AdapterShape.of(adapter, HIDDEN)


def test_hidden_states_stop_at_their_layer() -> None:
    model = fused_model().eval()
    ids = torch.tensor([[0, 5, 6, 2]])
    with torch.no_grad():
        assert torch.equal(model.hidden_states(ids, layer=2), model(ids))
        first = model.hidden_states(ids, layer=1)
        model.backbone.encoder.layer[1].output.dense.weight.fill_(float("nan"))  # type: ignore[union-attr,operator,index]
        assert torch.equal(model.hidden_states(ids, layer=1), first)
    with pytest.raises(VariantError, match=r"layer 3 of backbone 'tiny'; it has 0 \(embeddings\) to 2"):
        model.hidden_states(ids, layer=3)


def test_backward_stops_below_the_lowest_trainable_part() -> None:
    """Whatever is below the first trainable module runs without a graph."""
    model = fused_model().train()
    seen = {}
    layers: Any = model.backbone.encoder.layer
    for index, layer in enumerate(layers):
        layer.attention.output.LayerNorm.register_forward_hook(
            lambda module, inputs, output, index=index: seen.update({index: output.requires_grad})
        )
    model(torch.tensor([[0, 5, 6, 2]])).sum().backward()
    assert seen == {0: False, 1: True}
    assert all(p.grad is None for n, p in model.named_parameters() if not n.startswith(("fusion.", "heads.")))


def test_names_that_collide() -> None:
    assert colliding_names(["mnli", "mnli_mm", "qa"]) == ["mnli_mm"]
    assert colliding_names(["i00", "i01", "t00"]) == []


def test_incomplete_library_states_are_refused() -> None:
    with pytest.raises(VariantError, match="adapter 'x' lacks all of it"):
        adapter_from_library({}, "x", "seq_bn")
    with pytest.raises(VariantError, match=r"adapter 'x' lacks 0\.down\.bias"):
        adapter_from_library({"encoder.layer.0.output.adapters.x.adapter_up.bias": torch.zeros(1)}, "x", "seq_bn")
