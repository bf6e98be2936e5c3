"""Adapters of methods ``adapters:CONFIG`` in the library's own files, in both directions.

Writing goes through the library's own calls. Reading needs it only to build the adapter: names say where a tensor goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adapterxfer.catalog.architectures import Architecture
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.adapters_engine import configuration
from adapterxfer.variants.library_modules import ADAPTER, inside_library, stored_name

HARMLESS = frozenset({"dropout", "dtype", "init_weights", "init_weights_seed", "stochastic_depth"})
"""Keys of a configuration that move a training and nothing of what a loaded adapter computes."""

SHARED = "prefix_tuning.pool."
"""What the library's state names once in every layer."""


def engine_to_adapters(adapter: Adapter, name: str) -> dict[str, Tensor]:
    """Tensors as the library saves them for a bare encoder and an adapter ``name``, each under one name.

    Prefixes belong to all layers at once, and the library's state has them once in each.
    """
    lowest: Any = adapter[0]
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for full, tensor in lowest.tuned.state_dict(keep_vars=True).items():
        steps = full.split(".")
        if ADAPTER in steps and id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[".".join(name if step == ADAPTER else step for step in steps)] = tensor.detach()
    return tensors


def engine_from_adapters(
    state: Mapping[str, Tensor], name: str, method: str, architecture: Architecture,
    fixed: tuple[str, ...] | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """State for an `Adapter`; the library's random parts, which an adapter built here has already, are left out.

    Args:
        state: for a bare encoder, or for one inside a model with a head, whose own tensors stay where they are.
        name: of the adapter in the file.
        fixed: last names of those parts; those of the table if absent.
    """
    fixed = tuple(ADAPTERS.facts(method)["fixed"]) if fixed is None else fixed
    layer = re.compile(rf"{re.escape(architecture.layers)}\.(\d+)\.(.+)")
    tensors: dict[str, Tensor] = {}
    for full, tensor in state.items():
        inner = full
        for prefix in architecture.prefixes:
            inner = inner.removeprefix(prefix)
        plain = _plain(inner, name)
        if plain == inner or _is_one_of(plain, fixed):
            continue
        match = layer.fullmatch(plain)
        number, key = (match[1], match[2]) if match else ("0", f"shared.{plain}")
        if SHARED in key and (number != "0" or match is None):
            continue  # again what the lowest layer has
        tensors[f"{number}.weights.{stored_name(key)}"] = tensor
    return tensors


def fixed_parts(state: Mapping[str, Tensor], name: str, fixed: tuple[str, ...]) -> dict[str, Tensor]:
    """The random parts of a file, by the names of a bare encoder without the adapter's."""
    plain = {full: _plain(full, name) for full in state}
    return {plain[full]: tensor for full, tensor in state.items() if _is_one_of(plain[full], fixed)}


def engine_adapters_config(adapter: Adapter, name: str, *, base: str) -> dict[str, Any]:
    """Content of the ``adapter_config.json`` that the library reads."""
    from adapters.loading import AdapterLoader

    lowest: Any = adapter[0]
    with inside_library(0):
        content: dict[str, Any] = AdapterLoader(lowest.tuned).save_to_state_dict(ADAPTER)[1]
    return {**content, "name": name, "model_name": base}


def config_differences(content: Any, method: str, config: str) -> list[str]:
    """How the configuration of a published adapter differs from the recipe's, key by key.

    Args:
        content: of its file: a block of keys, or the library's string for one.
        method: ``adapters:CONFIG`` of the recipe.
        config: of the recipe, as JSON.

    Raises:
        MissingDependency: `adapters` is not installed.
    """
    expected = configuration(method, config)
    from adapters.configuration import AdapterConfig

    try:
        with inside_library(0):
            published = AdapterConfig.load(content).to_dict()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"its configuration cannot be read by the adapters library ({error})"]
    ours = expected.to_dict()
    return [
        f"{key} is {published.get(key)!r}; {method} has {ours.get(key)!r}"
        for key in sorted((published.keys() | ours.keys()) - HARMLESS)
        if published.get(key) != ours.get(key)
    ]


def check_fixed(state: Mapping[str, Tensor], name: str, adapter: Adapter, fixed: tuple[str, ...]) -> None:
    """Random parts are not learned; an adapter learned with others than those drawn here is another function.

    Raises:
        VariantError: they are others, or are not in the file.
    """
    ours = fixed_parts(engine_to_adapters(adapter, name), name, fixed)
    theirs = fixed_parts(state, name, fixed)
    if any(key not in theirs or not torch.equal(theirs[key], tensor) for key, tensor in ours.items()):
        raise VariantError(
            f"library state: {adapter.shape.method} with other random parts than those drawn here",
            fix="use an adapter made here",
        )


def _plain(full: str, name: str) -> str:
    return ".".join(step for step in full.split(".") if step != name)


def _is_one_of(plain: str, fixed: tuple[str, ...]) -> bool:
    return any(f".{plain}".endswith(f".{last}") for last in fixed)
