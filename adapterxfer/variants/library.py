"""Names and tensors of the `adapters` library for the modules of this project, in both directions.

The library itself is not needed. Exported states load into a model prepared by the library, and adapters or fusions
trained there continue here. The names are those of encoders with BERT's layout: BERT, ELECTRA, RoBERTa, XLM-R and
DeBERTa.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.fusion import Fusion

_LINEAR_NAMES = {
    "down.weight": "adapter_down.0.weight",
    "down.bias": "adapter_down.0.bias",
    "up.weight": "adapter_up.weight",
    "up.bias": "adapter_up.bias",
}

_FUSION_NAMES = ("query.weight", "query.bias", "key.weight", "key.bias", "value.weight")


def adapter_to_library(adapter: Adapter, name: str, *, gradients: bool = False) -> dict[str, Tensor]:
    """Tensors of an adapter under the library's names of an adapter ``name``; with ``gradients`` their gradients."""
    names = _adapter_names(adapter.shape.method)
    return {
        f"encoder.layer.{index}.{block}.adapters.{name}.{theirs}": tensor
        for index, layer in enumerate(adapter)
        for ours, tensor in _tensors(layer, gradients=gradients).items()
        for block, theirs in [names[ours]]
    }


def adapter_from_library(state: Mapping[str, Tensor], name: str, method: str) -> dict[str, Tensor]:
    """State for an `Adapter` of this project from a state dict of the library.

    Raises:
        VariantError: the state holds no such adapter, or not all of it.
    """
    own_names = {theirs: ours for ours, theirs in _adapter_names(method).items()}
    pattern = re.compile(rf"(?:.*\.)?layer\.(\d+)\.(attention\.output|output)\.adapters\.{re.escape(name)}\.(.+)")
    tensors = {}
    for full_name, tensor in state.items():
        match = pattern.fullmatch(full_name)
        if match and (match[2], match[3]) in own_names:
            tensors[f"{int(match[1])}.{own_names[match[2], match[3]]}"] = tensor
    return _complete(tensors, own_names.values(), f"adapter '{name}'")


def _adapter_names(method: str) -> dict[str, tuple[str, str]]:
    """Own name in a layer -> the library's block and name in it."""
    files = METHODS[method].adapters if method in METHODS else None
    if files is None:
        raise VariantError(
            f"adapter method '{method}' has no counterpart with the same tensors in the `adapters` library",
            fix=f"exchange one of {', '.join(names_of(lambda spec: spec.adapters))}",
        )
    return {
        module + ours: (block, theirs)
        for module, block in files.blocks.items()
        for ours, theirs in _LINEAR_NAMES.items()
    }


def fusion_to_library(fusion: Fusion, names: Sequence[str], *, gradients: bool = False) -> dict[str, Tensor]:
    """Tensors of a fusion under the library's names of a fusion of ``names``; with ``gradients`` their gradients."""
    return {
        f"encoder.layer.{index}.output.adapter_fusion_layer.{','.join(names)}.{ours}": tensor
        for index, layer in enumerate(fusion)
        for ours, tensor in _tensors(layer, gradients=gradients).items()
    }


def fusion_from_library(state: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """State for a `Fusion` of this project from a state dict of the library.

    Raises:
        VariantError: the state holds no such fusion, or not all of it.
    """
    joined = ",".join(names)
    middle, tensors = f".output.adapter_fusion_layer.{joined}.", {}
    for full_name, tensor in state.items():
        before, matched, rest = full_name.partition(middle)
        if matched and rest in _FUSION_NAMES:
            tensors[f"{before.rpartition('.')[2]}.{rest}"] = tensor
    return _complete(tensors, _FUSION_NAMES, f"fusion '{joined}'")


def _tensors(module: nn.Module, *, gradients: bool) -> dict[str, Tensor]:
    if not gradients:
        return {name: parameter.detach() for name, parameter in module.named_parameters()}
    # The key bias of a fusion cancels in the softmax: it has no gradient here and rounding noise in the library.
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in module.named_parameters()
    }


def _complete(tensors: dict[str, Tensor], names: Collection[str], subject: str) -> dict[str, Tensor]:
    layers = {name.partition(".")[0] for name in tensors}
    expected = {f"{index}.{ours}" for index in range(len(layers)) for ours in names}
    if not tensors or tensors.keys() != expected:
        missing = ", ".join(sorted(expected - tensors.keys())[:3]) or "all of it"
        raise VariantError(f"library state: {subject} lacks {missing}", fix="export it from the library again")
    return tensors
