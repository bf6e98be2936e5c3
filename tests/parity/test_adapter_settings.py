"""Settings that are not the defaults, against `adapters` and `peft` on the same weights: forward and gradients."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.catalog.methods.setting import NON_LINEARITIES
from adapterxfer.hub.library_files import AdapterFiles, bottleneck_config, peft_config
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.library import adapter_to_library
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.peft_names import adapter_to_peft, changed_maps

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    adapters = pytest.importorskip("adapters")
    peft = pytest.importorskip("peft")

HIDDEN, LAYERS, SIZE = 32, 2, 8
BOTTLENECKS: list[tuple[str, dict[str, Any]]] = [
    *(("seq_bn", {"non_linearity": name}) for name in NON_LINEARITIES[1:]),
    ("seq_bn", {"original_ln_before": False}),
    ("seq_bn", {"residual_before_ln": False}),
    ("seq_bn", {"original_ln_before": False, "residual_before_ln": False, "scaling": 2.5}),
    ("double_seq_bn", {"non_linearity": "gelu", "original_ln_before": True}),
    ("double_seq_bn", {"original_ln_before": True, "residual_before_ln": False}),
    ("par_bn", {"non_linearity": "tanh", "scaling": 1.5}),
]
LOW_RANK: list[tuple[str, dict[str, Any]]] = [
    ("lora", {"lora_alpha": 32.0}),
    ("lora", {"target_modules": ["query", "key", "value"]}),
    ("lora", {"target_modules": ["query", "ffn_in", "ffn_out"], "rank_pattern": {"ffn_in": 2}, "lora_alpha": 3.0}),
    ("rslora", {"lora_alpha": 16.0, "rank_pattern": {"value": 2}}),
    ("dora", {"target_modules": ["value", "ffn_out"], "lora_alpha": 4.0}),
    ("lora", {"lora_dropout": 0.3}),
]


def own_model(method: str, ids: list[str], config: dict[str, Any]) -> TransferModel:
    settings = XLMRobertaConfig(
        vocab_size=60, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(3)
    model = XLMRobertaModel(settings, add_pooling_layer=False).eval().requires_grad_(False)
    loaded = LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=settings,
        identity={"name": "random"},
        fingerprint=state_fingerprint(model.state_dict()),
        parameters=count_parameters(model),
    )
    generator = torch.Generator().manual_seed(7)
    size = {"rank": SIZE} if "bn" not in method else {"bottleneck_size": SIZE}
    shape = AdapterShape.of({"method": method, **size, "config": config}, HIDDEN)
    assert json.loads(shape.config) == config
    made = {part: Adapter(LAYERS, HIDDEN, shape, generator=generator, linears=loaded.linears) for part in ids}
    with torch.no_grad():
        for adapter in made.values():
            for parameter in adapter.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    parts = tuple(
        AdapterPart(
            id=p, role="target" if p == "t00" else "intermediate", name=p, method=method, bottleneck_size=SIZE,
            config=shape.config,
        )
        for p in ids
    )  # fmt: skip
    heads = (HeadPart("h00", "task", "tagging", ("a", "b")),)
    stacked = len(ids) > 1
    composition = Composition("stack" if stacked else "adapter", parts, heads, "x" if stacked else "")
    head = {"h00": torch.nn.Linear(HIDDEN, 2)}
    own = TransferModel(loaded, composition, adapters=made, fusion=None, heads=head).eval()
    for adapter in made.values():
        adapter.requires_grad_(True)
    return own


def run(model: Any) -> Tensor:
    ids = torch.randint(5, 60, (4, 9), generator=torch.Generator().manual_seed(11))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 4, 8)):
        ids[row, length:], mask[row, length:] = 1, 0
    out = model(input_ids=ids, attention_mask=mask)
    hidden: Tensor = out if isinstance(out, Tensor) else out.last_hidden_state
    return hidden[mask.bool()]


def compared(own: Any, library: Any) -> None:
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    found, expected = run(own), run(library)
    plain = run(own.loaded.model)
    assert (found - plain).abs().max() > 1e-2
    assert (found - expected).abs().max().item() <= 2e-5
    for hidden in (found, expected):
        (torch.tanh(hidden) @ weights).pow(2).mean().backward()
    ours = sorted(p.grad.norm().item() for a in own.adapters.values() for p in a.parameters() if p.grad is not None)
    theirs = sorted(p.grad.norm().item() for p in library.parameters() if p.grad is not None)
    assert len(ours) == len(theirs) > 0
    assert max(abs(a - b) / max(b, 1e-3) for a, b in zip(ours, theirs, strict=True)) < 1e-3


@pytest.mark.parametrize("ids", [["t00"], ["i00", "t00"]])
@pytest.mark.parametrize(("method", "config"), BOTTLENECKS)
def test_bottlenecks_with_settings(method: str, config: dict[str, Any], ids: list[str]) -> None:
    if method == "par_bn" and len(ids) > 1:
        return  # there the upper adapter replaces what the lower one computed
    own = own_model(method, ids, config)
    library: Any = XLMRobertaModel(own.loaded.config, add_pooling_layer=False)
    library.load_state_dict(own.loaded.model.state_dict())
    values = bottleneck_config(method, config) | {"reduction_factor": HIDDEN // SIZE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters.init(library)
        for part in ids:
            library.add_adapter(part, config=adapters.BnConfig(**values))
        library.train_adapter(ids)
        library.set_active_adapters(adapters.composition.Stack(*ids) if len(ids) > 1 else ids[0])
        for part in ids:
            missing = library.load_state_dict(adapter_to_library(own.adapters[part], part), strict=False)  # type: ignore[arg-type]
            assert not missing.unexpected_keys
    compared(own, library.eval())


@pytest.mark.parametrize(("method", "config"), LOW_RANK)
def test_updates_with_settings(method: str, config: dict[str, Any]) -> None:
    own = own_model(method, ["t00"], config)
    architecture = architecture_of("xlm-roberta")
    described = AdapterFiles(
        id="t00", method=method, size=SIZE, layout="peft", settings=config,
        maps=changed_maps(method, architecture, json.dumps(config)),
    )  # fmt: skip
    content = peft_config(described, model_type="xlm-roberta", base="x", revision=None)
    known = {key: value for key, value in content.items() if key not in ("peft_type", "peft_version")}
    base: Any = XLMRobertaModel(own.loaded.config, add_pooling_layer=False)
    base.load_state_dict(own.loaded.model.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = peft.get_peft_model(base, peft.LoraConfig(**{**known, "inference_mode": False}))
        state = adapter_to_peft(own.adapters["t00"], architecture)  # type: ignore[arg-type]
        loaded = peft.set_peft_model_state_dict(library, state)
    assert not loaded.unexpected_keys
    ours = {tuple(parameter.shape) for parameter in own.adapters["t00"].parameters()}
    theirs = {tuple(parameter.shape) for parameter in library.parameters() if parameter.requires_grad}
    assert ours == theirs
    compared(own, library.eval())
    dropouts = {m.p for n, m in library.named_modules() if n.endswith("lora_dropout.default") and hasattr(m, "p")}
    assert dropouts == ({config["lora_dropout"]} if "lora_dropout" in config else set())
