"""Low-rank updates written into the frozen weights of a copy: for sharing, and to prove that active means merged."""

from __future__ import annotations

from typing import Any

import torch

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.catalog.methods import names_of
from adapterxfer.errors import VariantError
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
            fix=f"merge adapters of the methods {', '.join(names_of(lambda spec: spec.places == ('linear',)))}",
        )
    with torch.no_grad():
        for index, (frozen, target) in enumerate(zip(model.loaded.linears, own.linears, strict=True)):
            for adapter in active:
                layer: Any = adapter[index]  # type: ignore[index]
                for role, linear in target.items():
                    layer.merge(role, frozen[role], linear)
    return own
