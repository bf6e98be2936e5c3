"""How many parameters train in each variant at the shapes of real encoders, and what that takes, without any weights.

Backbones stand on torch's meta device. Adapters and fusions are built at the real width with two and three layers; the
difference is one layer, so what layers share is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from adapterxfer.backbones.measure import ParameterCount, count_parameters
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog import Backbone, backbones
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.catalog.methods.spec import adapter_label
from adapterxfer.catalog.variants import VARIANTS
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.fusion import Fusion

TRAINED_BYTES = 16
"""Of one trained parameter in fp32: weight, gradient and two moments of Adam."""

FROZEN_BYTES = 4
"""Of one frozen parameter in fp32."""

HEAD_WIDTH = 64
"""Any number that divides the width: how many heads share a projection does not change its size."""


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """An encoder as its configuration describes it."""

    name: str
    model_type: str
    config: Mapping[str, int]

    @property
    def hidden(self) -> int:
        """Width."""
        return self.config["hidden_size"]

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.config["num_hidden_layers"]


def _of_catalogue(backbone: Backbone) -> EncoderShape:
    assert backbone.hidden is not None, backbone.name
    assert backbone.layers is not None, backbone.name
    assert backbone.vocabulary is not None, backbone.name
    return EncoderShape(
        backbone.name,
        backbone.model_type,
        {
            "hidden_size": backbone.hidden,
            "num_hidden_layers": backbone.layers,
            "num_attention_heads": backbone.hidden // HEAD_WIDTH,
            "intermediate_size": 4 * backbone.hidden,
            "vocab_size": backbone.vocabulary,
            "max_position_embeddings": 514,
            "type_vocab_size": 1,
        },
    )


SHAPES = tuple(_of_catalogue(backbone) for backbone in backbones().values() if backbone.series == "xlm-r")
"""Widths and depths of Conneau et al. 2020 and Goyal et al. 2021; counts below follow from them."""


def usual_adapters() -> dict[str, dict[str, Any]]:
    """Adapters of every method with the sizes of its examples, by label."""
    adapters = (spec.example(number) for spec in METHODS.values() for number in range(len(spec.examples)))
    return {adapter_label(adapter): adapter for adapter in adapters}


FUSION_RANKS = (0, 64)
"""A fusion as published (full matrices), and a low-rank one; what is fused stays frozen."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One variant at one shape.

    Attributes:
        system: variant, with its adapter.
        trainable: parameters that train in the target phase, the head left out.
        frozen: all others in memory.
    """

    backbone: str
    system: str
    trainable: int
    frozen: int

    @property
    def share(self) -> float:
        """Trained part of all parameters."""
        return self.trainable / (self.trainable + self.frozen)

    @property
    def state_bytes(self) -> int:
        """Weights, gradients and optimiser states in fp32; activations come on top."""
        return self.trainable * TRAINED_BYTES + self.frozen * FROZEN_BYTES


def backbone_count(shape: EncoderShape) -> ParameterCount:
    """All parameters of an encoder of this shape, and those outside its embeddings."""
    architecture = ARCHITECTURES[shape.model_type]
    with torch.device("meta"):
        model = library_class(architecture.model)(
            library_class(architecture.config)(**shape.config), **architecture.arguments
        )
    return count_parameters(model)


def adapter_count(shape: EncoderShape, adapter: Mapping[str, Any]) -> int:
    """Parameters of one adapter at this shape."""
    one_shape = AdapterShape.of(adapter, shape.hidden)

    def build(layers: int) -> nn.Module:
        linears = [_maps(shape) for _ in range(layers)] if METHODS[one_shape.method].maps else None
        return Adapter(layers, shape.hidden, one_shape, generator=torch.Generator(), linears=linears)

    return _by_layers(build, shape.layers)


def fusion_count(shape: EncoderShape, rank: int) -> int:
    """Parameters of a fusion at this shape; their number does not depend on how many adapters it mixes."""

    def build(layers: int) -> nn.Module:
        return Fusion(layers, shape.hidden, dropout=0.0, generator=torch.Generator(), rank=rank)

    return _by_layers(build, shape.layers)


def rows_of(shape: EncoderShape) -> list[SizeRow]:
    """All variants at one shape; a stack and a fusion hold one more adapter, of the same kind, frozen."""
    total = backbone_count(shape).total
    counts = {label: adapter_count(shape, adapter) for label, adapter in usual_adapters().items()}
    usual = adapter_label(METHODS[names_of(lambda spec: spec.fuses)[0]].example())
    usual_count = counts[usual]
    bare = [spec for spec in VARIANTS.values() if not spec.adapters]
    rows = [
        SizeRow(shape.name, spec.name, total if spec.trains_backbone else 0, 0 if spec.trains_backbone else total)
        for spec in bare
    ]
    rows += [SizeRow(shape.name, f"adapter {label}", count, total) for label, count in counts.items()]
    for spec in VARIANTS.values():
        if spec.layout == "two":
            rows.append(SizeRow(shape.name, f"{spec.name} {usual}", usual_count, total + usual_count))
        elif spec.fuses:
            ranks = {rank: f", rank {rank}" if rank else "" for rank in FUSION_RANKS}
            rows += [
                SizeRow(shape.name, spec.name + more, fusion_count(shape, rank), total + 2 * usual_count)
                for rank, more in ranks.items()
            ]
    return rows


def _by_layers(build: Callable[[int], nn.Module], layers: int) -> int:
    two, three = (sum(p.numel() for p in build(depth).parameters()) for depth in (2, 3))
    return two + (layers - 2) * (three - two)


def _maps(shape: EncoderShape) -> dict[str, nn.Linear]:
    inner = shape.config["intermediate_size"]
    sizes = dict.fromkeys(("query", "key", "value"), (shape.hidden, shape.hidden))
    sizes["ffn_in"], sizes["ffn_out"] = (shape.hidden, inner), (inner, shape.hidden)
    return {role: nn.Linear(*size, device="meta") for role, size in sizes.items()}
