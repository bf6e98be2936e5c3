"""One adapter of any method: its shape, and its modules in every layer of a backbone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import nn

from adapterxfer.catalog.methods import METHODS, MethodSpec, names_of
from adapterxfer.catalog.methods.configured import changed_roles, differing, settings_of, settings_problem, spec_with
from adapterxfer.catalog.methods.spec import CONFIG
from adapterxfer.errors import VariantError
from adapterxfer.variants.places import Absent

UPPER_HALF = "upper-half"
"""Value of ``layers`` for adapters in the upper half of the layers alone; nothing acts in the lower half."""


class Site(NamedTuple):
    """What an adapter has to fit in one layer.

    Attributes:
        method: whose module is built.
        hidden_size: width of the backbone.
        linears: the frozen linear maps that the method changes, by role.
        shared: what the layers of one adapter have in common, filled by the first.
        layer: its number.
        every: the linear maps of all layers, for methods whose layers share parts.
        config: of a library's own method, as JSON; of ours its settings that are not the defaults.
        encoder: the backbone itself, for a library that puts its modules into an encoder of its own; it stays as it is.
    """

    method: MethodSpec
    hidden_size: int
    linears: Mapping[str, nn.Linear]
    shared: dict[str, Any]
    layer: int = 0
    every: Sequence[Mapping[str, nn.Linear]] = ()
    config: str = ""
    encoder: nn.Module | None = None


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """What determines the modules of an adapter.

    Attributes:
        method: adapter method of the catalogue.
        bottleneck_size: width of the bottleneck; the rank for methods that have one, 1 for methods without size.
        first_layer: layers below it have no adapter.
        config: of a library's own method: its configuration as JSON with sorted keys; of ours the settings that are not
            the defaults (`catalog.methods.configured`); empty otherwise.
    """

    method: str
    bottleneck_size: int
    first_layer: int = 0
    config: str = ""

    @classmethod
    def of(cls, adapter: Mapping[str, Any], hidden_size: int, *, layers: int = 0) -> AdapterShape:
        """Resolve the adapter of a recipe, e.g. ``{method: seq_bn, reduction_factor: 16}``.

        Args:
            adapter: of the recipe, or of a stage identity.
            hidden_size: width of the backbone.
            layers: of the backbone; counts for ``layers: upper-half`` only.

        Raises:
            VariantError: an unknown method, not exactly one positive size of those it has, or layers that it cannot
                leave out.
        """
        adapter = dict(adapter)
        span = adapter.pop("layers", None)
        whole = cls._whole(adapter, hidden_size)
        if span is None:
            return whole
        if span != UPPER_HALF or not METHODS[whole.method].partial_layers or layers < 2:
            able = ", ".join(names_of(lambda spec: spec.partial_layers))
            raise VariantError(
                f"adapter method '{whole.method}' with layers: {span} on a backbone of {layers} layers cannot be built",
                fix=f"use layers: {UPPER_HALF} with one of {able} and at least 2 layers",
            )
        return replace(whole, first_layer=layers // 2)

    @classmethod
    def _whole(cls, adapter: Mapping[str, Any], hidden_size: int) -> AdapterShape:
        method = str(adapter.get("method"))
        if method not in METHODS:
            raise VariantError(
                f"adapter method {method!r} cannot run here",
                fix=f"use one of {', '.join(METHODS)}, e.g. {next(iter(METHODS.values())).example()}",
            )
        if METHODS[method].engine:
            return cls(method, 1, config=json.dumps(adapter.get(CONFIG) or {}, sort_keys=True))
        allowed = METHODS[method].sizes
        given = settings_of(adapter)
        if given and (wrong := settings_problem(method, given)):
            raise VariantError(f"adapter method '{method}' {wrong}", fix="correct its config")
        settings = differing(method, given)
        config = json.dumps(settings, sort_keys=True) if settings else ""
        sizes = {key: value for key, value in adapter.items() if key not in ("method", CONFIG) and value is not None}
        if not allowed and not sizes:
            return cls(method, 1)
        if len(sizes) != 1 or not sizes.keys() <= set(allowed) or min(sizes.values()) <= 0:
            raise VariantError(
                f"adapter {dict(adapter)}: expected one of {' and '.join(allowed) or 'no size'}, above 0, and no more",
                fix="give one size that the method has",
            )
        ((key, size),) = sizes.items()
        width = max(1, int(hidden_size // size)) if key == "reduction_factor" else int(size)
        return cls(method, width, config=config)


class Adapter(nn.ModuleList):
    """The module of a method for every layer of a backbone, bottom first.

    Args:
        layers: number of layers.
        hidden_size: width of the backbone.
        shape: method and size.
        generator: source of the start values.
        linears: frozen linear maps of each layer by role, for methods that change them.
        encoder: the backbone, for methods of libraries that build around a whole one.

    Raises:
        VariantError: the method changes linear maps and none are given.
    """

    def __init__(
        self,
        layers: int,
        hidden_size: int,
        shape: AdapterShape,
        *,
        generator: torch.Generator,
        linears: Sequence[Mapping[str, nn.Linear]] | None = None,
        encoder: nn.Module | None = None,
    ) -> None:
        shared: dict[str, Any] = {}
        spec = METHODS[shape.method]
        if spec.maps and (linears is None or not all(linears)):
            raise VariantError(
                f"adapter method '{shape.method}' changes linear maps inside the layers; this backbone shows none",
                fix="use a bottleneck method",
            )
        super().__init__(
            Absent()
            if index < shape.first_layer
            else spec.kind.build(
                Site(
                    method=spec,
                    hidden_size=hidden_size,
                    linears=_chosen(spec, linears[index] if linears else {}, shape.config),
                    shared=shared,
                    layer=index,
                    every=linears or (),
                    config=shape.config,
                    encoder=encoder,
                ),
                shape.bottleneck_size,
                generator,
            )
            for index in range(layers)
        )
        self.shape = shape

    @property
    def method(self) -> MethodSpec:
        """Specification of its method, with its settings."""
        return spec_with(METHODS[self.shape.method], self.shape.config)

    @property
    def can_be_neutral(self) -> bool:
        """Whether there are weights that change nothing."""
        return self.method.neutral in ("exact", "rounding")

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        for layer in self:
            layer.neutralise()  # type: ignore[operator]


def _chosen(spec: MethodSpec, linears: Mapping[str, nn.Linear], config: str) -> dict[str, nn.Linear]:
    """The maps that a method changes, in the order of its specification, which start values are drawn in.

    Raises:
        VariantError: the settings name maps that this backbone has not.
    """
    roles = changed_roles(spec, config)
    if (
        config
        and not spec.engine
        and roles != spec.maps
        and (absent := [role for role in roles if role not in linears])
    ):
        raise VariantError(
            f"adapter method '{spec.name}': target_modules: this backbone has no map '{absent[0]}'",
            fix=f"name some of {', '.join(linears)}",
        )
    return {role: linears[role] for role in roles if role in linears}
