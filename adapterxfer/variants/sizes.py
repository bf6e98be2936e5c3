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

from adapterxfer.backbones.architectures import ARCHITECTURES
from adapterxfer.backbones.measure import ParameterCount, count_parameters
from adapterxfer.backbones.reading import library_class
from adapterxfer.variants.adapter import RULES, Adapter, AdapterShape
from adapterxfer.variants.fusion import Fusion

TRAINED_BYTES = 16
"""Of one trained parameter in fp32: weight, gradient and two moments of Adam."""

FROZEN_BYTES = 4
"""Of one frozen parameter in fp32."""


@dataclass(frozen=True, slots=True)
class Shape:
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


def _xlm_r(name: str, model_type: str, hidden: int, layers: int, heads: int, vocabulary: int) -> Shape:
    return Shape(
        name,
        model_type,
        {
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": 4 * hidden,
            "vocab_size": vocabulary,
            "max_position_embeddings": 514,
            "type_vocab_size": 1,
        },
    )


SHAPES = (
    _xlm_r("xlm-r-base", "xlm-roberta", 768, 12, 12, 250002),
    _xlm_r("xlm-r-large", "xlm-roberta", 1024, 24, 16, 250002),
    _xlm_r("xlm-r-xl", "xlm-roberta-xl", 2560, 36, 32, 250880),
    _xlm_r("xlm-r-xxl", "xlm-roberta-xl", 4096, 48, 32, 250880),
)
"""Widths and depths of Conneau et al. 2020 and Goyal et al. 2021; counts below follow from them."""

ADAPTERS: Mapping[str, Mapping[str, Any]] = {
    "seq_bn/16": {"method": "seq_bn", "reduction_factor": 16},
    "seq_bn/size64": {"method": "seq_bn", "bottleneck_size": 64},
    "double_seq_bn/16": {"method": "double_seq_bn", "reduction_factor": 16},
    "par_bn/16": {"method": "par_bn", "reduction_factor": 16},
    "seq_bn_inv/2": {"method": "seq_bn_inv", "reduction_factor": 2},
    "compacter/32": {"method": "compacter", "reduction_factor": 32},
    "prefix/30": {"method": "prefix", "prefix_length": 30},
    "loreft/8": {"method": "loreft", "rank": 8},
    "lora/8": {"method": "lora", "rank": 8},
    "rslora/8": {"method": "rslora", "rank": 8},
    "dora/8": {"method": "dora", "rank": 8},
    "vera/256": {"method": "vera", "rank": 256},
    "ia3": {"method": "ia3"},
}
"""One adapter of every method, with a usual size."""

FUSIONS: Mapping[str, int] = {"fuse": 0, "fuse, rank 64": 64}
"""A fusion as published, and a low-rank one; what is fused stays frozen."""


@dataclass(frozen=True, slots=True)
class Row:
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


def backbone_count(shape: Shape) -> ParameterCount:
    """All parameters of an encoder of this shape, and those outside its embeddings."""
    architecture = ARCHITECTURES[shape.model_type]
    with torch.device("meta"):
        model = library_class(architecture.model)(
            library_class(architecture.config)(**shape.config), **architecture.arguments
        )
    return count_parameters(model)


def adapter_count(shape: Shape, adapter: Mapping[str, Any]) -> int:
    """Parameters of one adapter at this shape."""
    own = AdapterShape.of(adapter, shape.hidden)

    def build(layers: int) -> nn.Module:
        linears = [_maps(shape) for _ in range(layers)] if RULES[own.method].maps else None
        return Adapter(layers, shape.hidden, own, generator=torch.Generator(), linears=linears)

    return _by_layers(build, shape.layers)


def fusion_count(shape: Shape, rank: int) -> int:
    """Parameters of a fusion at this shape; their number does not depend on how many adapters it mixes."""

    def build(layers: int) -> nn.Module:
        return Fusion(layers, shape.hidden, dropout=0.0, generator=torch.Generator(), rank=rank)

    return _by_layers(build, shape.layers)


def rows_of(shape: Shape) -> list[Row]:
    """All variants at one shape; a stack and a fusion hold one more adapter, of `seq_bn/16`, frozen."""
    total = backbone_count(shape).total
    rows = [Row(shape.name, "full-ft", total, 0), Row(shape.name, "head-only", 0, total)]
    counts = {label: adapter_count(shape, adapter) for label, adapter in ADAPTERS.items()}
    rows += [Row(shape.name, f"adapter {label}", count, total) for label, count in counts.items()]
    first = counts["seq_bn/16"]
    rows.append(Row(shape.name, "stack seq_bn/16", first, total + first))
    rows += [Row(shape.name, name, fusion_count(shape, rank), total + 2 * first) for name, rank in FUSIONS.items()]
    return rows


def _by_layers(build: Callable[[int], nn.Module], layers: int) -> int:
    two, three = (sum(p.numel() for p in build(depth).parameters()) for depth in (2, 3))
    return two + (layers - 2) * (three - two)


def _maps(shape: Shape) -> dict[str, nn.Linear]:
    inner = shape.config["intermediate_size"]
    sizes = dict.fromkeys(("query", "key", "value"), (shape.hidden, shape.hidden))
    sizes["ffn_out"] = (inner, shape.hidden)
    return {role: nn.Linear(*size, device="meta") for role, size in sizes.items()}
