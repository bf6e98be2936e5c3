"""Methods that change linear maps of a frozen layer: LoRA, rsLoRA, DoRA, VeRA and IA3.

For a frozen map ``y = W x + b``:

    lora    y' = y + (8 / r) B A x              rslora  y' = y + (8 / sqrt(r)) B A x
    dora    y' = m / |W + D| * (W + D) x + b,   D = (8 / r) B A, |.| the length of each row, without gradient
    vera    y' = y + v * (Q (u * (P x))),       P and Q random, fixed and the same in all layers
    ia3     y' = l * y for keys and values,     y = W (l * x) + b for the map that ends the feed-forward block

All but IA3 act on query and value. In a stack every adapter sees the same ``x`` and adds its own change, so a stack
of LoRAs is a true sum; the scales of IA3 multiply, and an upper DoRA's ``m / |W + D|`` also scales what the lower ones
have made of ``W x``. All start without effect.

Sources: Hu et al. 2022; Kalajdzievski 2023; Liu et al. 2024; Kopiczko et al. 2024; Liu et al. 2022. Formulas, targets
and start values are those of `peft`; tests compare active and merged weights with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.catalog.methods.configured import effective
from adapterxfer.variants.bottleneck import uniform_like_linear
from adapterxfer.variants.products import product

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

VERA_START = 0.1
"""Start value of the inner scales; the default of peft."""

PROJECTION_SEED = 0
"""Of VeRA's random matrices, which are never stored: equal for all adapters of one width and rank."""

Linears = Mapping[str, nn.Linear]


class _Changes(nn.Module, ABC):
    """What the methods have in common: nothing happens to inputs unless a method says so."""

    places: ClassVar[tuple[str, ...]] = ("linear",)

    def linear_input(self, role: str, states: Tensor) -> Tensor:  # noqa: ARG002 - signature of the place
        """Change the input of a map."""
        return states

    @abstractmethod
    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:
        """Change the output of a map; see `places.places_of`."""

    @abstractmethod
    def merge(self, role: str, frozen: nn.Linear, target: nn.Linear) -> None:
        """Write the change of a map into ``target``, a copy of ``frozen`` that may hold those of adapters below."""

    @abstractmethod
    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""


class LowRank(_Changes):
    """LoRA in one layer.

    Args:
        linears: the frozen maps that it changes, by role.
        rank: of the update.
        generator: source of the start values.
        scale: rank -> factor of an update of that rank.
        ranks: role -> rank, where it is another one.
        dropout: share of an update's inputs that training drops.
    """

    def __init__(
        self,
        linears: Linears,
        rank: int,
        *,
        generator: torch.Generator,
        scale: Callable[[int], float],
        ranks: Mapping[str, int] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.scales, self.dropout = {}, dropout
        self.first, self.second = nn.ParameterDict(), nn.ParameterDict()
        for role, linear in linears.items():
            width = (ranks or {}).get(role, rank)
            self.scales[role] = scale(width)
            first = torch.empty(width, linear.in_features)
            uniform_like_linear(first, generator=generator)
            self.first[role] = nn.Parameter(first)
            self.second[role] = nn.Parameter(torch.zeros(linear.out_features, width))

    @classmethod
    def build(cls, site: Site, rank: int, generator: torch.Generator) -> Self:
        """The module of one layer; its scale is that of the method, or of its settings."""
        if not site.config:
            return cls(site.linears, rank, generator=generator, scale=site.method.scale)
        settings = effective(site.method.name, site.config)
        scale = replace(site.method, alpha=float(settings["lora_alpha"])).scale
        return cls(
            site.linears,
            rank,
            generator=generator,
            scale=scale,
            ranks=settings["rank_pattern"],
            dropout=float(settings.get("lora_dropout", 0.0)),
        )

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``."""
        if role not in self.first:
            return now
        if self.dropout and self.training:
            states = functional.dropout(states, self.dropout)
        inner = product(states, self.first[role])
        return now + self.scales[role] * product(inner, self.second[role])

    def delta(self, role: str) -> Tensor:
        """The update ``s B A``, shape ``(out, in)``."""
        delta: Tensor = self.scales[role] * self.second[role] @ self.first[role]
        return delta

    def merge(self, role: str, frozen: nn.Linear, target: nn.Linear) -> None:  # noqa: ARG002 - other methods need it
        """Write the change of a map into ``target``; nothing for maps that it leaves alone."""
        if role in self.first:
            target.weight.add_(self.delta(role))

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            for second in self.second.values():
                second.zero_()


class Dora(LowRank):
    """DoRA in one layer; arguments as for `LowRank`."""

    def __init__(
        self,
        linears: Linears,
        rank: int,
        *,
        generator: torch.Generator,
        scale: Callable[[int], float],
        ranks: Mapping[str, int] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(linears, rank, generator=generator, scale=scale, ranks=ranks, dropout=dropout)
        self.magnitude = nn.ParameterDict()
        for role, linear in linears.items():
            self.magnitude[role] = nn.Parameter(linear.weight.detach().float().norm(dim=1))
            # Kept to return to the start; the frozen matrix it is made of does not change.
            self.register_buffer(f"start_{role}", self.magnitude[role].detach().clone(), persistent=False)

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``."""
        if role not in self.first:
            return now
        ratio = self.magnitude[role] / self._lengths(role, linear)
        update = product(product(states, self.first[role]), self.second[role])
        plain = now if linear.bias is None else now - linear.bias
        changed: Tensor = now + (ratio - 1) * plain + ratio * self.scales[role] * update
        return changed

    def merge(self, role: str, frozen: nn.Linear, target: nn.Linear) -> None:
        """Write the change of a map into ``target``; nothing for maps that it leaves alone."""
        if role not in self.first:
            return
        super().merge(role, frozen, target)
        target.weight.mul_((self.magnitude[role] / self._lengths(role, frozen))[:, None])

    def _lengths(self, role: str, linear: nn.Linear) -> Tensor:
        """Row lengths of ``W + s B A`` without forming it; treated as constant, section 4.3 of the source."""
        with torch.no_grad(), torch.autocast(linear.weight.device.type, enabled=False):
            first, second, weight = self.first[role], self.second[role], linear.weight.to(self.first[role].dtype)
            start: Tensor = getattr(self, f"start_{role}")
            cross = ((weight @ first.t()) * second).sum(1)
            square = ((second @ (first @ first.t())) * second).sum(1)
            scale = self.scales[role]
            lengths: Tensor = (start.square() + 2 * scale * cross + scale**2 * square).clamp_min(0).sqrt()
            return lengths

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        super().neutralise()
        with torch.no_grad():
            for role, magnitude in self.magnitude.items():
                magnitude.copy_(getattr(self, f"start_{role}"))


class VeraProjections(nn.Module):
    """The two random matrices of VeRA, shared by all layers and not stored.

    Args:
        inputs: widest input of a map.
        outputs: widest output of a map.
        rank: width in the middle.
    """

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(PROJECTION_SEED)
        for name, shape in (("inner", (rank, inputs)), ("outer", (outputs, rank))):
            matrix = torch.empty(shape)
            # Kaiming's rule for a rectified map, as in peft.
            bound = (6.0 / shape[1]) ** 0.5
            matrix.uniform_(-bound, bound, generator=generator)
            self.register_buffer(name, matrix, persistent=False)


class Vera(_Changes):
    """VeRA in one layer.

    Args:
        linears: the frozen maps that it changes, by role.
        rank: width in the middle.
        projections: shared by all layers.
    """

    def __init__(self, linears: Linears, rank: int, *, projections: VeraProjections) -> None:
        super().__init__()
        self.projections = projections
        self.inner, self.outer = nn.ParameterDict(), nn.ParameterDict()
        for role, linear in linears.items():
            self.inner[role] = nn.Parameter(torch.full((rank,), VERA_START))
            self.outer[role] = nn.Parameter(torch.zeros(linear.out_features))

    @classmethod
    def build(cls, site: Site, rank: int, generator: torch.Generator) -> Self:  # noqa: ARG003 - one signature for all
        """The module of one layer; the first layer makes the projections, wide enough for the widest map."""
        if "projections" not in site.shared:
            maps = site.linears.values()
            inputs, outputs = max(linear.in_features for linear in maps), max(linear.out_features for linear in maps)
            site.shared["projections"] = VeraProjections(inputs, outputs, rank)
        return cls(site.linears, rank, projections=site.shared["projections"])

    def _matrices(self, linear: nn.Linear) -> tuple[Tensor, Tensor]:
        inner: Tensor = self.projections.get_buffer("inner")
        outer: Tensor = self.projections.get_buffer("outer")
        return inner[:, : linear.in_features], outer[: linear.out_features]

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``."""
        if role not in self.inner:
            return now
        inner, outer = self._matrices(linear)
        middle = self.inner[role] * product(states, inner)
        changed: Tensor = now + self.outer[role] * product(middle, outer)
        return changed

    def delta(self, role: str, linear: nn.Linear) -> Tensor:
        """Change of the frozen matrix, shape ``(out, in)``."""
        inner, outer = self._matrices(linear)
        delta: Tensor = (self.outer[role][:, None] * outer) @ (self.inner[role][:, None] * inner)
        return delta

    def merge(self, role: str, frozen: nn.Linear, target: nn.Linear) -> None:
        """Write the change of a map into ``target``; nothing for maps that it leaves alone."""
        if role in self.inner:
            target.weight.add_(self.delta(role, frozen))

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            for outer in self.outer.values():
                outer.zero_()


class Rescale(_Changes):
    """IA3 in one layer.

    Args:
        linears: the frozen maps that it changes, by role.
    """

    def __init__(self, linears: Linears) -> None:
        super().__init__()
        self.factor = nn.ParameterDict()
        for role, linear in linears.items():
            width = linear.in_features if role == "ffn_out" else linear.out_features
            # Of a map for all three attention inputs, the first third are queries.
            self.factor[role] = nn.Parameter(torch.ones(width // 3 * 2 if role == "qkv" else width))

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Self:  # noqa: ARG003 - one signature for all
        """The module of one layer, which has no size and no random start."""
        return cls(site.linears)

    def linear_input(self, role: str, states: Tensor) -> Tensor:
        """Change the input of the map that ends the feed-forward block."""
        return states * self.factor[role] if role == "ffn_out" else states

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``."""
        if role == "qkv":
            width = now.shape[-1] // 3
            return torch.cat([now[..., :width], now[..., width:] * self.factor[role]], dim=-1)
        return now * self.factor[role] if role in ("key", "value") else now

    def merge(self, role: str, frozen: nn.Linear, target: nn.Linear) -> None:  # noqa: ARG002 - other methods need it
        """Write the change of a map into ``target``; nothing for maps that it leaves alone."""
        if role not in self.factor:
            return
        factor = self.factor[role]
        if role == "ffn_out":
            target.weight.mul_(factor)
            return
        if role == "qkv":
            factor = torch.cat([factor.new_ones(target.out_features - len(factor)), factor])
        target.weight.mul_(factor[:, None])
        if target.bias is not None:
            target.bias.mul_(factor)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            for factor in self.factor.values():
                factor.fill_(1.0)
