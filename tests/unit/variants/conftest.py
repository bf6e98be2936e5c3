"""Tiny random encoders of every real architecture, and transfer models on them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parent))  # merged_oracle

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog import METHODS
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.variants import composition
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.measures import AssertionInput, snapshot
from adapterxfer.variants.model import TransferModel

HIDDEN, LAYERS, SIZE, PAD = 32, 2, 4, 1

COMMON = {
    "vocab_size": 50,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "initializer_range": 0.15,
    "pad_token_id": PAD,
}
SLIDING = COMMON | {
    "num_key_value_heads": 1,
    "head_dim": 24,
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention"],
}
T5 = {
    "vocab_size": 50,
    "d_model": HIDDEN,
    "num_layers": LAYERS,
    "num_heads": 2,
    "d_kv": 12,
    "d_ff": 64,
    "pad_token_id": PAD,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "xlm-roberta": COMMON,
    "xlm-roberta-xl": COMMON,
    "deberta-v2": COMMON
    | {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": COMMON
    | {
        "reference_compile": False,
        "initializer_cutoff_factor": 2.0,
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "bos_token_id": 2,
        "eos_token_id": 3,
    },
    "rembert": COMMON | {"input_embedding_size": 16, "output_embedding_size": 24},
    "electra": COMMON | {"embedding_size": 16},
    "llama": COMMON | {"num_key_value_heads": 1},
    "qwen3": COMMON | {"num_key_value_heads": 1, "head_dim": 24},
    "gemma3_text": SLIDING,
    "t5gemma2_text": SLIDING | {"dropout_rate": 0.0},
    "distilbert": {
        "vocab_size": 50,
        "dim": HIDDEN,
        "n_layers": LAYERS,
        "n_heads": 2,
        "hidden_dim": 64,
        "max_position_embeddings": 32,
        "initializer_range": 0.15,
        "pad_token_id": PAD,
    },
    "mt5": T5,
    "umt5": T5,
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def tiny(model_type: str) -> LoadedBackbone:
    architecture = ARCHITECTURES[model_type]
    config = library_class(architecture.config)(**CONFIGS.get(model_type, COMMON))
    config._attn_implementation = architecture.attention[0]
    torch.manual_seed(1)
    model = library_class(architecture.model)(config, **architecture.arguments).eval().requires_grad_(False)
    with torch.no_grad():  # start values of some architectures are so small that no adapter could be seen
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "norm" not in name.lower():
                parameter.normal_(0.0, 0.15)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": model_type},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


class OneToken(nn.Linear):
    """Reads the first token, or one that sees others before it where attention is causal; no row has it padded."""

    token = 0

    def forward(self, hidden: Tensor, batch: Any) -> Tensor:  # type: ignore[override]
        return super().forward(hidden[:, self.token])


IDS = {"none": [], "one": ["t00"], "two": ["i00", "t00"], "mixed": ["i00", "i01", "t00"]}
"""Adapters of each layout, bottom first."""


def trained(adapter: Adapter, seed: int = 9) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return adapter


def inputs() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(5, 50, (3, 7), generator=torch.Generator().manual_seed(4))
    mask = torch.ones_like(tokens)
    tokens[1, 5:], mask[1, 5:] = PAD, 0
    return tokens, mask


def make_evidence(
    variant: str, method: str = "seq_bn", model_type: str = "xlm-roberta", *, language: str = ""
) -> AssertionInput:
    """A model with what its assertions need; ``language`` is the method of an adapter of English below the others."""
    loaded, spec = tiny(model_type), composition(variant)
    pristine = loaded.model
    if spec.trains_backbone:
        loaded = with_own_weights(loaded)
        with torch.no_grad():
            # Not by one factor: norms of queries and keys would take it back.
            weight = next(iter(loaded.linears[0].values())).weight
            weight.mul_(torch.linspace(0.5, 2.0, len(weight))[:, None])
    size = SIZE if METHODS[method].sizes else 1
    generator = torch.Generator().manual_seed(4)
    made: dict[str, Adapter] = {}
    if language:
        shape = AdapterShape(language, SIZE)
        made["l00"] = trained(Adapter(LAYERS, HIDDEN, shape, generator=generator), seed=21)
    made |= {
        part: Adapter(
            LAYERS,
            HIDDEN,
            AdapterShape(method, size),
            generator=generator,
            linears=loaded.linears,
            encoder=loaded.model,
        )
        for part in IDS[spec.layout]
    }
    for number, (part, adapter) in enumerate((p, a) for p, a in made.items() if p != "l00"):
        if part.startswith("i") or spec.continues or spec.fuses:
            trained(adapter, seed=9 + number)
    parts = tuple(
        AdapterPart(id="l00", role="language", name="en", method=language, bottleneck_size=SIZE)
        if p == "l00"
        else AdapterPart(
            id=p, role="target" if p == "t00" else "intermediate", name=p, method=method, bottleneck_size=size
        )
        for p in made
    )
    heads = (HeadPart("h00", "pos", "tagging", ("x", "y")),)
    torch.manual_seed(2)
    head = OneToken(HIDDEN, 2)
    head.token = 4 if loaded.architecture.causal else 0
    model = TransferModel(
        loaded,
        Composition(variant, parts, heads, "nli" if spec.continues or spec.keeps_adapters else ""),  # type: ignore[arg-type]
        adapters=made,
        fusion=Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator) if spec.fuses else None,
        heads={"h00": head},
    )
    tokens, mask = inputs()
    return AssertionInput(
        model=model,
        batch=SimpleNamespace(input_ids=tokens, attention_mask=mask),
        task="pos",
        start=snapshot(model),
        start_backbone=state_fingerprint(model.backbone.state_dict()),
        stored=lambda: {name: tensor.clone() for name, tensor in model.own_state().items()},
        pristine=pristine,
    )


@pytest.fixture(name="evidence_of")
def _evidence_of() -> Callable[..., AssertionInput]:
    return make_evidence


@pytest.fixture(name="tiny_of")
def _tiny_of() -> Callable[[str], LoadedBackbone]:
    return tiny
