"""One adapter of any method: its shape, and its modules in every layer of a backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from adapterxfer.errors import VariantError
from adapterxfer.variants.bottleneck import Bottleneck, DoubleBottleneck, ParallelBottleneck
from adapterxfer.variants.interventions import LoReft, Prefix
from adapterxfer.variants.invertible import InvertibleBottleneck
from adapterxfer.variants.lowrank import SCALES, Dora, LowRank, Rescale, Vera, VeraProjections
from adapterxfer.variants.phm import Compacter
from adapterxfer.variants.places import Absent

BOTTLENECK_SIZES = ("reduction_factor", "bottleneck_size")

UPPER_HALF = "upper-half"
"""Value of ``layers`` for adapters in the upper half of the layers alone; the lower half is the backbone's own."""

PARTIAL = ("seq_bn", "double_seq_bn", "par_bn")
"""Methods that may leave layers out."""


class Site(NamedTuple):
    """What an adapter has to fit in one layer.

    Attributes:
        hidden_size: width of the backbone.
        linears: frozen linear maps by role; empty where the method needs none.
        shared: what the layers of one adapter have in common, made by the first.
    """

    hidden_size: int
    linears: Mapping[str, nn.Linear]
    shared: dict[str, Any]


Maker = Callable[[Site, int, torch.Generator], nn.Module]


class MethodRule(NamedTuple):
    """How one method is built.

    Attributes:
        sizes: keys of the recipe that set its size; one must be given.
        neutral_start: whether a fresh adapter changes nothing.
        make: builds the module of one layer.
        maps: whether it changes linear maps of the layers, which it then has to be shown.
    """

    sizes: tuple[str, ...]
    neutral_start: bool
    make: Maker
    maps: bool = False


def _vera(site: Site, rank: int, _: torch.Generator) -> nn.Module:
    if "projections" not in site.shared:
        maps = [site.linears[role] for role in ("query", "value", "qkv") if role in site.linears]
        widest = max(linear.in_features for linear in maps), max(linear.out_features for linear in maps)
        site.shared["projections"] = VeraProjections(*widest, rank)
    return Vera(site.linears, rank, projections=site.shared["projections"])


def _invertible(site: Site, size: int, generator: torch.Generator) -> nn.Module:
    kind = Bottleneck if "embeddings" in site.shared else InvertibleBottleneck
    site.shared["embeddings"] = True
    return kind(site.hidden_size, size, generator=generator)


def _low_rank(kind: type[LowRank], scale: Callable[[int], float]) -> Maker:
    return lambda site, rank, generator: kind(site.linears, rank, generator=generator, scale=scale(rank))


RULES: Mapping[str, MethodRule] = {
    "seq_bn": MethodRule(BOTTLENECK_SIZES, False, lambda s, n, g: Bottleneck(s.hidden_size, n, generator=g)),
    "double_seq_bn": MethodRule(
        BOTTLENECK_SIZES, False, lambda s, n, g: DoubleBottleneck(s.hidden_size, n, generator=g)
    ),
    "par_bn": MethodRule(BOTTLENECK_SIZES, True, lambda s, n, g: ParallelBottleneck(s.hidden_size, n, generator=g)),
    "lora": MethodRule(("rank",), True, _low_rank(LowRank, SCALES["lora"]), maps=True),
    "rslora": MethodRule(("rank",), True, _low_rank(LowRank, SCALES["rslora"]), maps=True),
    "dora": MethodRule(("rank",), True, _low_rank(Dora, SCALES["lora"]), maps=True),
    "vera": MethodRule(("rank",), True, _vera, maps=True),
    "ia3": MethodRule((), True, lambda s, n, g: Rescale(s.linears), maps=True),  # noqa: ARG005 - no size, no chance
    "seq_bn_inv": MethodRule(BOTTLENECK_SIZES, False, _invertible),
    "compacter": MethodRule(
        ("reduction_factor",), False, lambda s, n, g: Compacter(s.hidden_size, n, generator=g, shared=s.shared)
    ),
    "loreft": MethodRule(("rank",), False, lambda s, n, g: LoReft(s.hidden_size, n, generator=g)),
    "prefix": MethodRule(("prefix_length",), False, lambda s, n, g: Prefix(s.hidden_size, n, generator=g)),
}
"""Methods that can run, by their name in the catalogue."""


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """What determines the modules of an adapter.

    Attributes:
        method: adapter method of the catalogue.
        bottleneck_size: width of the bottleneck; the rank for methods that have one, 1 for methods without size.
        first_layer: layers below it have no adapter.
    """

    method: str
    bottleneck_size: int
    first_layer: int = 0

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
        part = adapter.pop("layers", None)
        whole = cls._whole(adapter, hidden_size)
        if part is None:
            return whole
        if part != UPPER_HALF or whole.method not in PARTIAL or layers < 2:
            raise VariantError(
                f"adapter method '{whole.method}' with layers: {part} on a backbone of {layers} layers cannot be built",
                fix=f"use layers: {UPPER_HALF} with one of {', '.join(PARTIAL)} and at least 2 layers",
            )
        return cls(whole.method, whole.bottleneck_size, layers // 2)

    @classmethod
    def _whole(cls, adapter: Mapping[str, Any], hidden_size: int) -> AdapterShape:
        method = str(adapter.get("method"))
        if method not in RULES:
            raise VariantError(
                f"adapter method {method!r} cannot run here", fix=f"use one of {', '.join(RULES)}, e.g. method: seq_bn"
            )
        allowed = RULES[method].sizes
        sizes = {key: value for key, value in adapter.items() if key != "method" and value is not None}
        if not allowed and not sizes:
            return cls(method, 1)
        if len(sizes) != 1 or not sizes.keys() <= set(allowed) or min(sizes.values()) <= 0:
            raise VariantError(
                f"adapter {dict(adapter)}: expected one of {' and '.join(allowed) or 'no size'}, above 0, and no more",
                fix="give one size that the method has",
            )
        ((key, size),) = sizes.items()
        return cls(method, max(1, int(hidden_size // size)) if key == "reduction_factor" else int(size))


class Adapter(nn.ModuleList):
    """The module of a method for every layer of a backbone, bottom first.

    Args:
        layers: number of layers.
        hidden_size: width of the backbone.
        shape: method and size.
        generator: source of the start values.
        linears: frozen linear maps of each layer by role, for methods that change them.

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
    ) -> None:
        shared: dict[str, Any] = {}
        rule = RULES[shape.method]
        if rule.maps and (linears is None or not all(linears)):
            raise VariantError(
                f"adapter method '{shape.method}' changes linear maps inside the layers; this backbone shows none",
                fix="use a bottleneck method",
            )
        super().__init__(
            Absent()
            if index < shape.first_layer
            else rule.make(
                Site(hidden_size, linears[index] if linears else {}, shared), shape.bottleneck_size, generator
            )
            for index in range(layers)
        )
        self.shape = shape

    @property
    def can_be_neutral(self) -> bool:
        """Whether there are weights that change nothing."""
        return hasattr(self[-1], "neutralise")

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        for layer in self:
            layer.neutralise()  # type: ignore[operator]
