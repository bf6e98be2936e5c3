"""Tuner types of the `peft` library inside this project's encoders: the library's own modules compute every change.

The library wraps a skeleton that holds the frozen linear maps of all layers, as ``layers.0.query`` and so on; what it
puts in their place is called where the encoder calls the map. So a type runs here exactly as there, in every encoder
that shows its maps, and with everything around it (stacks, seeds, checkpoints, assertions) that other methods have.

In a stack each adapter sees the same input and adds what it changes of the frozen map's output, as in the library for
types whose changes are added up; ``scripts/table_peft.py`` compares both, and other types are not stacked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from adapterxfer.catalog.methods.peft_types import FIXED, NEUTRAL_KEYS, OURS, PREFIX, USUAL_MAPS
from adapterxfer.errors import MissingDependency, VariantError
from adapterxfer.variants.library_modules import (
    LibraryModules,
    as_change,
    drawn,
    frozen,
    inside_library,
    seed_of,
    trained,
)

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

DEFAULT_MAPS = ("query", "value", "qkv")
"""What LoRA and its kin change by default in the library, in encoders with BERT's layers."""

Maps = Sequence[Mapping[str, nn.Linear]]
"""Linear maps of every layer, by role."""

_PLACE = re.compile(r"(?:.*\.)?layers\.(\d+)\.(.+)")


class PeftMaps(LibraryModules):
    """What the library puts in the place of one layer's linear maps.

    Args:
        maps: role -> module of the library around the frozen map.
        weights, tuned: see `LibraryModules`; ``tuned`` is the whole wrapped skeleton.
    """

    places: ClassVar[tuple[str, ...]] = ("linear",)

    def __init__(
        self, maps: Mapping[str, nn.Module], weights: Mapping[str, nn.Parameter], tuned: nn.Module | None
    ) -> None:
        super().__init__(tuple(maps.values()), weights, tuned)
        self._maps = dict(maps)

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Self:  # noqa: ARG003 - one signature for all
        """The module of one layer; the library wraps all layers at once, when the first one is built.

        Raises:
            VariantError: the configuration is wrong, or changes the backbone.
            MissingDependency: `peft` is not installed.
        """
        if "tuned" not in site.shared:
            tuned = tune(site.every, site.method.name, site.config, seed=seed_of(generator))
            site.shared["tuned"] = tuned
            site.shared["layers"] = _by_layer(tuned, site.layer)
        maps, weights = site.shared["layers"][site.layer]
        first = site.layer == min(site.shared["layers"])
        return cls(maps, weights, site.shared["tuned"] if first else None)

    def linear_input(self, role: str, states: Tensor) -> Tensor:  # noqa: ARG002 - signature of the place
        """Inputs are changed inside the library's module."""
        return states

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``."""
        module = self._maps.get(role)
        return now if module is None else as_change(now, base, module(states))

    def whole_linear(self, role: str, states: Tensor) -> Tensor | None:
        """The changed output of a map on which nothing else acts; None for one that this adapter leaves alone."""
        module = self._maps.get(role)
        return None if module is None else module(states)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes, in types where weights of 0 do."""
        with torch.no_grad():
            for weight in self.weights.values():
                weight.zero_()


class _Skeleton(nn.Module):
    """The frozen linear maps of an encoder, without the encoder."""

    def __init__(self, every: Maps) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict(dict(maps)) for maps in every)


def tune(every: Maps, method: str, config: str, *, seed: int) -> Any:
    """The library's model around the linear maps, which stay as they are.

    Args:
        every: maps of all layers.
        method: ``peft:TYPE``.
        config: keys of its configuration, as JSON.
        seed: of the start values.

    Raises:
        VariantError: the configuration is wrong, or changes the backbone.
        MissingDependency: `peft` is not installed.
    """
    return drawn(lambda number: _wrapped(every, method, config, seed=number), seed=seed)


def _wrapped(every: Maps, method: str, config: str, *, seed: int) -> Any:
    peft = _library()
    settings = configuration(method, config, roles=every[0].keys())
    backbone = [parameter for maps in every for linear in maps.values() for parameter in linear.parameters()]
    fix = "leave out the keys that do (bias, and initialisations made from the weights)"
    with frozen(backbone, f"adapter method '{method}', config {config}", fix) as judge:
        with inside_library(seed):
            tuned = peft.get_peft_model(_Skeleton(every), settings)
        judge(tuned)
    return tuned


def configuration(method: str, config: str, *, roles: Any) -> Any:
    """The library's configuration of a method.

    Args:
        roles: of the linear maps that the encoder shows.

    Raises:
        VariantError: a key is unknown, is one that the engine sets, or names a map that the encoder does not show.
        MissingDependency: `peft` is not installed.
    """
    _library()
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    known = {str(getattr(kind, "value", kind)): config_of for kind, config_of in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    name = method.removeprefix(PREFIX)
    if name not in known:
        raise VariantError(
            f"adapter method '{method}': the installed peft has no such type",
            fix=f"use one of {', '.join(sorted(known))}",
        )
    keys: dict[str, Any] = {**NEUTRAL_KEYS.get(name, {}), **_maps_of(name, roles), **json.loads(config or "{}")}
    fields = known[name].__dataclass_fields__
    if wrong := sorted(key for key in keys if key not in fields or key in FIXED):
        raise VariantError(
            f"adapter method '{method}': its configuration has no key '{wrong[0]}' that a recipe can set",
            fix=f"it has {', '.join(sorted(set(fields) - FIXED))}",
        )
    for key in OURS:
        named = keys.get(key, ())
        if unknown := [role for role in ([named] if isinstance(named, str) else named) if role not in roles]:
            raise VariantError(
                f"adapter method '{method}': {key} names '{unknown[0]}'; this encoder shows {', '.join(roles)}",
                fix="name linear maps by their roles",
            )
    if "target_modules" in fields and not keys.get("target_modules"):
        keys["target_modules"] = [role for role in DEFAULT_MAPS if role in roles]
    for key in OURS:
        if isinstance(keys.get(key), str):
            keys[key] = [keys[key]]  # a text would be a pattern there
    try:
        return known[name](**keys)
    except (ValueError, TypeError) as error:
        raise VariantError(f"adapter method '{method}', config {config}: {error}", fix="change its config") from None


def _maps_of(name: str, roles: Any) -> dict[str, list[str]]:
    """The maps that a type changes where nothing is said, among those that the encoder shows."""
    return {key: [role for role in usual if role in roles] for key, usual in USUAL_MAPS.get(name, {}).items()}


def _by_layer(tuned: nn.Module, first: int) -> dict[int, tuple[dict[str, nn.Module], dict[str, nn.Parameter]]]:
    """Layer -> the library's module of each role, and what trains there; shared parts belong to the first layer."""
    skeleton = next(module for module in tuned.modules() if isinstance(module, _Skeleton))
    layers: dict[int, tuple[dict[str, nn.Module], dict[str, nn.Parameter]]] = {}
    for index, maps in enumerate(skeleton.layers):
        named: Any = maps
        layers[index] = ({role: module for role, module in named.items() if type(module) is not nn.Linear}, {})
    for name, weight in trained(tuned):
        match = _PLACE.fullmatch(name)
        index, key = (int(match[1]), match[2]) if match else (first, f"shared.{name}")
        layers[index][1][key] = weight
    return layers


def _library() -> Any:
    try:
        import peft
    except ImportError:
        raise MissingDependency("adapter methods 'peft:...'", "peft") from None
    return peft
