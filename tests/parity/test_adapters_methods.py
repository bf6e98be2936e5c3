"""Compacter, LoReFT and prefix tuning against the `adapters` library on the same weights: forward and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.model import TransferModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    adapters = pytest.importorskip("adapters")

HIDDEN, LAYERS, SIZE = 32, 2, 8


def backbone(attention: str) -> LoadedBackbone:
    config = XLMRobertaConfig(
        vocab_size=60,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
        attn_implementation=attention,
    )
    torch.manual_seed(3)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "random"},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def own_model(method: str, size: int, attention: str) -> TransferModel:
    loaded = backbone(attention)
    generator = torch.Generator().manual_seed(7)
    adapter = Adapter(LAYERS, HIDDEN, AdapterShape(method, size), generator=generator, linears=loaded.linears)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model = TransferModel(
        loaded,
        Composition(
            "adapter",
            (AdapterPart(id="t00", role="target", name="t", method=method, bottleneck_size=size),),
            (HeadPart("h00", "task", "tagging", ("a", "b")),),
        ),
        adapters={"t00": adapter},
        fusion=None,
        heads={"h00": torch.nn.Linear(HIDDEN, 2)},
    )
    return model.eval()


def library_model(own: TransferModel, config: Any) -> Any:
    model = XLMRobertaModel(own.loaded.config, add_pooling_layer=False)
    model.load_state_dict(own.loaded.model.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters.init(model)
        model.add_adapter("t", config=config)
        model.train_adapter("t")
        model.set_active_adapters("t")
    return model.eval()


def copy_compacter(own: Any, library: Any) -> dict[str, Tensor]:
    pairs: dict[str, Tensor] = {}
    state = dict(library.named_parameters())
    (rule,) = (name for name in state if name.endswith("phm_rule"))
    pairs[rule] = own[0].rule
    for index, layer in enumerate(own):
        for place, part in (("attention.output", layer.after_attention), ("output", layer.after_ffn)):
            prefix = f"encoder.layer.{index}.{place}.adapters.t"
            for name, half in (("adapter_down.0", part.down), ("adapter_up", part.up)):
                for theirs, ours in (("W_left", half.left), ("W_right", half.right), ("b", half.bias)):
                    pairs[f"{prefix}.{name}.{theirs}"] = ours
    return pairs


def copy_loreft(own: Any, library: Any) -> dict[str, Tensor]:
    units = [module for name, module in library.named_modules() if name.endswith("units.0")]
    assert len(units) == LAYERS
    pairs = {}
    names = {id(p): n for n, p in library.named_parameters()}
    for layer, unit in zip(own, units, strict=True):
        unit.projection.weight = layer.projection().detach()
        pairs[names[id(unit.learned_source.weight)]] = layer.source
        pairs[names[id(unit.learned_source.bias)]] = layer.bias
    return pairs


def copy_prefix(own: Any, library: Any) -> dict[str, Tensor]:
    (name,) = (n for n, _ in library.named_parameters() if n.endswith("control_trans"))
    # The library keeps one vector: token, then layer, then key and value.
    own.flat = torch.stack([torch.stack([layer.keys, layer.values], dim=1) for layer in own], dim=1).detach()
    return {name: own.flat.flatten()}


CASES: dict[str, tuple[int, Callable[[], Any], Callable[[Any, Any], dict[str, Tensor]]]] = {
    "compacter": (SIZE, lambda: adapters.CompacterConfig(reduction_factor=HIDDEN // SIZE), copy_compacter),
    "loreft": (3, lambda: adapters.LoReftConfig(r=3), copy_loreft),
    "prefix": (5, lambda: adapters.PrefixTuningConfig(flat=True, prefix_length=5), copy_prefix),
}


def run(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    out = model(input_ids=ids, attention_mask=mask)
    hidden: Tensor = out if isinstance(out, Tensor) else out.last_hidden_state
    real = hidden[mask.bool()]
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    (torch.tanh(real) @ weights).pow(2).mean().backward()
    return real.detach()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("method", CASES)
def test_same_function_and_gradients(method: str, attention: str) -> None:
    size, config, copy_weights = CASES[method]
    own = own_model(method, size, attention)
    library = library_model(own, config())
    pairs = copy_weights(own.adapters["t00"], library)
    state = dict(library.named_parameters())
    # The library makes a second unit for suffixes, of which LoReFT here has none.
    unused = ("projection", "units.1")
    trained = {n for n, p in state.items() if p.requires_grad and not any(part in n for part in unused)}
    assert set(pairs) == trained
    with torch.no_grad():
        for name, tensor in pairs.items():
            state[name].copy_(tensor)
    ids = torch.randint(5, 60, (4, 9), generator=torch.Generator().manual_seed(11))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 4, 8)):
        ids[row, length:], mask[row, length:] = 1, 0
    plain = own.loaded.model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
    found, expected = run(own, ids, mask), run(library, ids, mask)
    assert (found - plain).abs().max() > 1e-2
    assert (found - expected).abs().max().item() <= 1e-5
    for name, tensor in pairs.items():
        gradient = state[name].grad
        assert gradient is not None
        if method == "prefix":
            layers: Any = own.adapters["t00"]
            ours = torch.stack([torch.stack([x.keys.grad, x.values.grad], dim=1) for x in layers], dim=1).flatten()
        else:
            ours = tensor.grad
        assert (ours - gradient).abs().max() <= 1e-5 * max(1.0, gradient.abs().max().item()), name
