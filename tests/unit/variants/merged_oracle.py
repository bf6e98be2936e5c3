"""Low-rank updates written into the frozen weights of a copy: for sharing, and to prove that active means merged."""

from __future__ import annotations

from typing import Any

import torch

from adapterxfer.backbones.loading import LoadedBackbone, with_own_weights
from adapterxfer.errors import VariantError
from adapterxfer.variants.lowrank import LowRank, Rescale, Vera
from adapterxfer.variants.model import TransferModel


def merged_backbone(model: TransferModel) -> LoadedBackbone:
    """A copy of the backbone that alone computes what the backbone with its adapters does, up to rounding.

    The shared weights stay as they are: merging and taking back would leave rounding errors in them.

    Raises:
        VariantError: an adapter is no linear change of frozen maps (bottlenecks, fusions).
    """
    own = with_own_weights(model.loaded)
    active = [model.adapters[part.id] for part in model.composition.adapters]
    if model.fusion is not None or not active or any("linear" not in a[0].places for a in active):  # type: ignore[index]
        methods = ", ".join(part.method for part in model.composition.adapters) or "no adapter"
        raise VariantError(
            f"variant '{model.composition.variant}' ({methods}) cannot be merged into the backbone",
            fix="merge adapters of the methods lora, rslora, dora, vera or ia3",
        )
    with torch.no_grad():
        for index, (frozen, target) in enumerate(zip(model.loaded.linears, own.linears, strict=True)):
            for adapter in active:
                layer: Any = adapter[index]  # type: ignore[index]
                for role, linear in target.items():
                    _merge(layer, role, frozen[role], linear)
    return own


def _merge(layer: Any, role: str, frozen: Any, linear: Any) -> None:
    if isinstance(layer, Rescale):
        if role not in layer.factor:
            return
        factor = layer.factor[role]
        if role == "ffn_out":
            linear.weight.mul_(factor)
            return
        if role == "qkv":
            factor = torch.cat([factor.new_ones(linear.out_features - len(factor)), factor])
        linear.weight.mul_(factor[:, None])
        if linear.bias is not None:
            linear.bias.mul_(factor)
    elif isinstance(layer, LowRank):
        if role in layer.first:
            layer.merge(role, frozen, linear)
    elif isinstance(layer, Vera) and role in layer.inner:
        linear.weight.add_(layer.delta(role, frozen))
