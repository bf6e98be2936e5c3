"""LoRA, rsLoRA, DoRA, VeRA and IA3 against `peft` on the same weights: active, gradients, merged, and in a stack."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from transformers import DebertaV2Config, XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.catalog.methods.low_rank import ALPHA
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.model import TransferModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    peft = pytest.importorskip("peft")
    from transformers import DebertaV2Model

HIDDEN, LAYERS, RANK = 32, 2, 4
SHAPE = {
    "vocab_size": 50,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.15,
}
PATHS = {
    "xlm-roberta": {"query": "query", "value": "value", "key": "key"},
    "deberta-v2": {"query": "query_proj", "value": "value_proj", "key": "key_proj"},
}


def backbone(model_type: str) -> LoadedBackbone:
    torch.manual_seed(3)
    if model_type == "xlm-roberta":
        model: Any = XLMRobertaModel(XLMRobertaConfig(**SHAPE), add_pooling_layer=False)
    else:
        model = DebertaV2Model(
            DebertaV2Config(
                **SHAPE, relative_attention=True, share_att_key=True, pos_att_type="p2c|c2p", pad_token_id=1
            )
        )
    model = model.eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # biases are where DoRA goes wrong elsewhere
            torch.nn.init.normal_(parameter, std=0.1)
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=model.config,
        identity={"name": "x"},
        fingerprint=state_fingerprint(model.state_dict()),
        parameters=count_parameters(model),
    )


def own_model(method: str, ids: list[str], model_type: str) -> TransferModel:
    loaded = backbone(model_type)
    size = 1 if method == "ia3" else RANK
    generator = torch.Generator().manual_seed(7)
    made = {
        part: Adapter(LAYERS, HIDDEN, AdapterShape(method, size), generator=generator, linears=loaded.linears)
        for part in ids
    }
    with torch.no_grad():
        for adapter in made.values():
            for parameter in adapter.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.15)
    parts = tuple(
        AdapterPart(id=p, role="target" if p == "t00" else "intermediate", name=p, method=method, bottleneck_size=size)
        for p in ids
    )
    heads = (HeadPart("h00", "task", "tagging", ("a", "b")),)
    model = TransferModel(
        loaded,
        Composition("stack" if len(ids) > 1 else "adapter", parts, heads, "x" if len(ids) > 1 else ""),
        adapters=made,
        fusion=None,
        heads={"h00": torch.nn.Linear(HIDDEN, 2)},
    ).eval()
    for adapter in made.values():
        adapter.requires_grad_(True)
    return model


def peft_config(method: str, paths: dict[str, str]) -> Any:
    targets = [paths["query"], paths["value"]]
    match method:
        case "lora" | "rslora" | "dora":
            return peft.LoraConfig(
                r=RANK, lora_alpha=ALPHA, target_modules=targets, use_rslora=method == "rslora",
                use_dora=method == "dora",
            )  # fmt: skip
        case "vera":
            return peft.VeraConfig(r=RANK, target_modules=targets)
        case _:
            ffn = r".*\.layer\.\d+\.output\.dense"
            return peft.IA3Config(
                target_modules=rf"{ffn}|.*\.({paths['key']}|{paths['value']})", feedforward_modules=ffn
            )


def peft_model(own: TransferModel, method: str, model_type: str) -> Any:
    """The library's model of the same composition with the same weights."""
    base = copy.deepcopy(own.loaded.model)
    paths = PATHS[model_type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = [part.id for part in own.composition.adapters]
        wrapped = peft.get_peft_model(base, peft_config(method, paths), adapter_name=ids[0])
        for part in ids[1:]:
            wrapped.add_adapter(part, peft_config(method, paths))
        wrapped.base_model.set_adapter(ids)
    modules = dict(wrapped.named_modules())
    layers = [name for name in modules if name.endswith("encoder.layer")]
    with torch.no_grad():
        for part in ids:
            for index, layer in enumerate(own.adapters[part]):  # type: ignore[arg-type]
                place = f"{layers[0]}.{index}"
                for role in getattr(layer, "first", None) or getattr(layer, "inner", None) or layer.factor:
                    path = "output.dense" if role == "ffn_out" else f"attention.self.{paths[role]}"
                    _copy(modules[f"{place}.{path}"], layer, role, part, method)
    return wrapped.eval()


def _copy(theirs: Any, ours: Any, role: str, part: str, method: str) -> None:
    if method == "vera":
        theirs.vera_lambda_d[part].copy_(ours.inner[role])
        theirs.vera_lambda_b[part].copy_(ours.outer[role])
        theirs.vera_A[part].copy_(ours.projections.inner)
        theirs.vera_B[part].copy_(ours.projections.outer)
    elif method == "ia3":
        theirs.ia3_l[part].copy_(ours.factor[role].view_as(theirs.ia3_l[part]))
    else:
        theirs.lora_A[part].weight.copy_(ours.first[role])
        theirs.lora_B[part].weight.copy_(ours.second[role])
        if method == "dora":
            theirs.lora_magnitude_vector[part].weight.copy_(ours.magnitude[role])


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 50, (4, 9), generator=torch.Generator().manual_seed(11))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 4, 8)):
        ids[row, length:], mask[row, length:] = 1, 0
    return ids, mask


def run(model: Any) -> torch.Tensor:
    ids, mask = inputs()
    hidden = model(input_ids=ids, attention_mask=mask)
    hidden = hidden if isinstance(hidden, torch.Tensor) else hidden.last_hidden_state
    real: torch.Tensor = hidden[mask.bool()]
    return real


@pytest.mark.parametrize("model_type", PATHS)
@pytest.mark.parametrize("ids", [["t00"], ["i00", "t00"]])
@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "vera", "ia3"])
def test_same_function_gradients_and_merged_weights(method: str, ids: list[str], model_type: str) -> None:
    own = own_model(method, ids, model_type)
    library = peft_model(own, method, model_type)
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    found, expected = run(own), run(library)
    assert (found - expected).abs().max().item() <= 1e-5
    for hidden in (found, expected):
        (torch.tanh(hidden) @ weights).pow(2).mean().backward()
    ours = sorted(p.grad.norm().item() for a in own.adapters.values() for p in a.parameters() if p.grad is not None)
    theirs = sorted(p.grad.norm().item() for p in library.parameters() if p.grad is not None)
    assert len(ours) == len(theirs)
    assert max(abs(a - b) / max(b, 1e-3) for a, b in zip(ours, theirs, strict=True)) < 1e-4
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        merged = library.merge_and_unload(adapter_names=ids)
        assert (run(own) - run(merged)).abs().max().item() <= 1e-5
