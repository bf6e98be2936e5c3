"""Names and tensors of the `adapters` library for own modules, in both directions; the library itself is not needed.

Exported states load into a model prepared by the library, and adapters or fusions trained there continue here. Only
XLM-R's layout is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.fusion import Fusion

_ADAPTER_NAMES = {
    "down.weight": "adapter_down.0.weight",
    "down.bias": "adapter_down.0.bias",
    "up.weight": "adapter_up.weight",
    "up.bias": "adapter_up.bias",
}
_FUSION_NAMES = ("query.weight", "query.bias", "key.weight", "key.bias", "value.weight")


def adapter_to_library(adapter: Adapter, name: str, *, gradients: bool = False) -> dict[str, Tensor]:
    """Tensors of an adapter under the library's names of an adapter ``name``; with ``gradients`` their gradients."""
    return {
        f"encoder.layer.{index}.output.adapters.{name}.{_ADAPTER_NAMES[own]}": tensor
        for index, layer in enumerate(adapter)
        for own, tensor in _tensors(layer, gradients=gradients).items()
    }


def adapter_from_library(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """State for an own `Adapter` from a state dict of the library.

    Raises:
        VariantError: the state holds no such adapter, or not all of it.
    """
    own_names = {theirs: own for own, theirs in _ADAPTER_NAMES.items()}
    return _collect(state, f".output.adapters.{name}.", own_names, f"adapter '{name}'")


def fusion_to_library(fusion: Fusion, names: Sequence[str], *, gradients: bool = False) -> dict[str, Tensor]:
    """Tensors of a fusion under the library's names of a fusion of ``names``; with ``gradients`` their gradients."""
    return {
        f"encoder.layer.{index}.output.adapter_fusion_layer.{','.join(names)}.{own}": tensor
        for index, layer in enumerate(fusion)
        for own, tensor in _tensors(layer, gradients=gradients).items()
    }


def fusion_from_library(state: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """State for an own `Fusion` from a state dict of the library.

    Raises:
        VariantError: the state holds no such fusion, or not all of it.
    """
    joined = ",".join(names)
    own_names = {name: name for name in _FUSION_NAMES}
    return _collect(state, f".output.adapter_fusion_layer.{joined}.", own_names, f"fusion '{joined}'")


def _tensors(module: nn.Module, *, gradients: bool) -> dict[str, Tensor]:
    if not gradients:
        return {name: parameter.detach() for name, parameter in module.named_parameters()}
    # The key bias of a fusion cancels in the softmax: it has no gradient here and rounding noise in the library.
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in module.named_parameters()
    }


def _collect(state: Mapping[str, Tensor], middle: str, own_names: Mapping[str, str], what: str) -> dict[str, Tensor]:
    found = {}
    for full_name, tensor in state.items():
        before, matched, rest = full_name.partition(middle)
        if matched and rest in own_names:
            found[f"{before.rpartition('.')[2]}.{own_names[rest]}"] = tensor
    layers = {name.partition(".")[0] for name in found}
    expected = {f"{index}.{own}" for index in range(len(layers)) for own in own_names.values()}
    if not found or found.keys() != expected:
        missing = ", ".join(sorted(expected - found.keys())[:3]) or "all of it"
        raise VariantError(f"library state: {what} lacks {missing}", fix="export it from the library again")
    return found
