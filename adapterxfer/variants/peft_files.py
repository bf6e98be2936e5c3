"""Adapters of methods ``peft:TYPE`` in the library's own files, in both directions.

Writing goes through the library's own calls. Reading needs it only to build the adapter: names say where a tensor goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from adapterxfer.catalog.architectures import Architecture
from adapterxfer.catalog.methods.peft_types import OURS, PREFIX, peft_types
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.library_modules import ADAPTER, stored_name

_MODEL = "base_model.model."
MAGNITUDE = ".lora_magnitude_vector"
"""Of DoRA: a module of its own in the library, a tensor in its files."""

_OURS = re.compile(rf"{re.escape(_MODEL)}layers\.(\d+)\.([a-z_]+)\.(.+)")


def engine_to_peft(adapter: Adapter, architecture: Architecture) -> dict[str, Tensor]:
    """Tensors as the library saves them for a bare encoder."""
    from peft import get_peft_model_state_dict

    tensors: dict[str, Tensor] = {}
    for name, tensor in get_peft_model_state_dict(_tuned(adapter)).items():
        match = _OURS.fullmatch(name)
        path = architecture.linears[match[2]] if match else ""
        tensors[f"{_MODEL}{architecture.layers}.{match[1]}.{path}.{match[3]}" if match else name] = tensor
    return tensors


def engine_from_peft(
    state: Mapping[str, Tensor], method: str, architecture: Architecture, fixed: tuple[str, ...] | None = None
) -> dict[str, Tensor]:
    """State for an `Adapter`; the library's random parts, which an adapter built here has already, are left out.

    Args:
        fixed: names of those parts; those of the table if absent.

    Raises:
        VariantError: a tensor belongs to a map that this encoder does not show.
    """
    roles = {path: role for role, path in architecture.linears.items()}
    paths = "|".join(map(re.escape, sorted(roles, key=len, reverse=True)))
    inside = re.compile(rf"{re.escape(_MODEL + architecture.layers)}\.(\d+)\.({paths})\.(.+)")
    fixed = tuple(peft_types()[method.removeprefix(PREFIX)]["fixed"]) if fixed is None else fixed
    tensors: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in state.items():
        if any(step in name.split(".") for step in fixed):
            continue
        if name.endswith(MAGNITUDE):
            name += ".weight"  # the library leaves it out of its files
        if (match := inside.fullmatch(name)) is not None:
            tensors[f"{match[1]}.weights.{stored_name(f'{roles[match[2]]}.{match[3]}')}"] = tensor
        elif name.startswith(_MODEL):
            unknown.append(name)
        else:
            tensors[f"0.weights.{stored_name(f'shared.{name}')}"] = tensor
    if unknown:
        raise VariantError(
            f"peft state: {unknown[0]} belongs to a map that this encoder does not show",
            fix=f"use an adapter of {', '.join(roles)}",
        )
    return tensors


def engine_config(adapter: Adapter, architecture: Architecture, *, base: str, revision: str | None) -> dict[str, Any]:
    """Content of the ``adapter_config.json`` that the library reads; maps are named by patterns of whole paths."""
    content = _plain(_tuned(adapter).peft_config[ADAPTER].to_dict())
    layers = re.escape(architecture.layers)
    for key in OURS:
        if roles := content.get(key):
            every = "|".join(re.escape(architecture.linears[role]) for role in sorted(roles))
            content[key] = rf"{layers}\.\d+\.({every})"
    content |= {"base_model_name_or_path": base, "revision": revision, "task_type": None, "inference_mode": True}
    return dict(content)


def _tuned(adapter: Adapter) -> Any:
    lowest: Any = adapter[0]
    return lowest.tuned


def _plain(value: Any) -> Any:
    """JSON values: sets sorted, enumerations by their value."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return getattr(value, "value", value)
