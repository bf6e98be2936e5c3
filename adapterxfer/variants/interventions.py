"""Methods that act on representations: ``loreft`` edits the first tokens, ``prefix`` adds keys and values.

    loreft      h' = h + R' (W h + b - R h)     for the first three tokens; R of shape (rank, hidden), rows orthonormal
    prefix      attention over [P_k; K] and [P_v; V], P_k and P_v of shape (length, hidden) in every layer

R is the orthonormal factor of a free matrix. The prefix is trained directly, without the network that the library can
put before it (its option ``flat``).

Sources: Wu et al. 2024 (ReFT), section 3.2; Li & Liang 2021; the `adapters` library, LoReftConfig and
PrefixTuningConfig(flat=True).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.variants.bottleneck import INIT_STD, uniform_like_linear
from adapterxfer.variants.products import product

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

POSITIONS = 3
"""Tokens at the beginning that LoReFT edits; padding stands at the end."""

DROPOUT = 0.05
"""On edited representations."""


class LoReft(nn.Module):
    """``loreft`` after one layer.

    Args:
        hidden_size: width of the backbone.
        rank: of the subspace.
        generator: source of the start values.
    """

    places: ClassVar[tuple[str, ...]] = ("layer",)

    def __init__(self, hidden_size: int, rank: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.source = nn.Parameter(torch.empty(rank, hidden_size))
        self.bias = nn.Parameter(torch.zeros(rank))
        self.free = nn.Parameter(torch.empty(rank, hidden_size))
        uniform_like_linear(self.source, generator=generator)
        with torch.no_grad():
            self.free.normal_(0.0, 1.0, generator=generator)

    @classmethod
    def build(cls, site: Site, rank: int, generator: torch.Generator) -> Self:
        """The module of one layer."""
        return cls(site.hidden_size, rank, generator=generator)

    def projection(self) -> Tensor:
        """``R``, shape ``(rank, hidden)``; its rows are orthonormal whatever the weights."""
        orthonormal: Tensor = torch.linalg.qr(self.free.float().t()).Q.t()
        return orthonormal

    def layer(self, states: Tensor) -> Tensor:
        """Place ``layer``."""
        first, rest = states[:, :POSITIONS], states[:, POSITIONS:]
        projection = self.projection().to(states.dtype)
        edit = product(first, self.source, self.bias) - product(first, projection)
        edited = functional.dropout(first + edit @ projection, DROPOUT, self.training)
        return torch.cat([edited, rest], dim=1)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            self.source.copy_(self.projection())
            self.bias.zero_()


class Prefix(nn.Module):
    """``prefix`` in one layer. No weights of it change nothing: it takes attention from the tokens in any case.

    Args:
        hidden_size: width of the backbone.
        length: number of keys and values.
        generator: source of the start values.
    """

    places: ClassVar[tuple[str, ...]] = ("keys_values",)

    def __init__(self, hidden_size: int, length: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.empty(length, hidden_size).normal_(0.0, INIT_STD, generator=generator))
        self.values = nn.Parameter(torch.empty(length, hidden_size).normal_(0.0, INIT_STD, generator=generator))

    @classmethod
    def build(cls, site: Site, length: int, generator: torch.Generator) -> Self:
        """The module of one layer."""
        return cls(site.hidden_size, length, generator=generator)

    def keys_values(self) -> tuple[Tensor, Tensor]:
        """Place ``keys_values``: keys and values before those of the tokens, each of shape ``(length, hidden)``."""
        return self.keys, self.values
