"""The table of sizes: what is counted without weights is what a real model has, and the page says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog import METHODS
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.sizes import (
    SHAPES,
    EncoderShape,
    adapter_count,
    backbone_count,
    fusion_count,
    rows_of,
    usual_adapters,
)

PAGE = Path(__file__).parents[3] / "docs" / "sizes.md"


def small(tiny: LoadedBackbone) -> EncoderShape:
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
             "max_position_embeddings", "type_vocab_size")  # fmt: skip
    return EncoderShape("small", tiny.config.model_type, {name: getattr(tiny.config, name) for name in names})


@pytest.mark.parametrize("model_type", ["xlm-roberta", "xlm-roberta-xl"])
@pytest.mark.parametrize("method", [method for method in METHODS if method != "prefix"])
def test_counts_are_those_of_a_model(
    method: str, model_type: str, tiny_of: Callable[[str], LoadedBackbone], evidence_of: Callable[..., AssertionInput]
) -> None:
    shape, model = small(tiny_of(model_type)), evidence_of("adapter", method, model_type).model
    size = model.composition.adapters[0].bottleneck_size
    keys = {"reduction_factor": shape.hidden // size, "rank": size, "bottleneck_size": size}
    adapter = {"method": method, **({key: keys[key] for key in METHODS[method].sizes[:1]})}
    trainable = sum(p.numel() for name, p in model.trainable().items() if name.startswith("adapters."))
    assert adapter_count(shape, adapter) == trainable
    assert backbone_count(shape) == model.loaded.parameters


def test_depth_is_counted_once_for_what_layers_share() -> None:
    import torch

    deep = EncoderShape("deep", "xlm-roberta", {"hidden_size": 32, "num_hidden_layers": 7, "intermediate_size": 64})
    made = Adapter(7, 32, AdapterShape("compacter", 8), generator=torch.Generator())
    expected = sum(parameter.numel() for parameter in made.parameters())
    assert adapter_count(deep, {"method": "compacter", "reduction_factor": 4}) == expected


def test_formulas_and_the_page() -> None:
    base = SHAPES[0]
    assert (base.hidden, base.layers) == (768, 12)
    per_layer = 2 * 768 * 48 + 48 + 768
    assert adapter_count(base, usual_adapters()["seq_bn/16"]) == 12 * per_layer
    assert fusion_count(base, 0) == 12 * (3 * 768 * 768 + 2 * 768)
    assert fusion_count(base, 64) == 12 * (4 * 768 * 64 + 2 * 64)
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for row in rows_of(base):
        line = next(line for line in page if line.startswith(f"| {row.system} | {row.trainable:,} ({row.share:.2%})"))
        assert line.count("|") == len(SHAPES) + 2
