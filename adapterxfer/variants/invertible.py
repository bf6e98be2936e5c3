"""``seq_bn_inv``: the bottleneck of ``seq_bn``, and an invertible map of the embeddings, as MAD-X gives each language.

With the two halves ``(a, b)`` of an embedding, ``a' = a + F(b)`` and ``b' = b + G(a')``; F and G are networks with one
hidden layer of half their input's width. The inverse, before the output embeddings of masked language modelling, takes
both steps back exactly, so tying of input and output embeddings is kept.

Source: Pfeiffer et al. 2020 (MAD-X), section 3; Dinh et al. 2015 (NICE); the `adapters` library, SeqBnInvConfig.
Differs from it in a stack of several: all maps act, one after the other, where the library takes the lowest one's only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.variants.bottleneck import Bottleneck, normal_linear
from adapterxfer.variants.products import product

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

REDUCTION = 2
"""Input width of a coupling network over its hidden width."""


class InvertibleBottleneck(Bottleneck):
    """``seq_bn_inv`` in the first layer, where the map of the embeddings is kept; higher layers are `Bottleneck`."""

    places: ClassVar[tuple[str, ...]] = ("embedding", "ffn")

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__(hidden_size, bottleneck_size, generator=generator)
        half = hidden_size // 2
        self.first = _Network(hidden_size - half, half, generator=generator)
        self.second = _Network(half, hidden_size - half, generator=generator)

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Bottleneck:
        """The module of one layer; the first layer that asks keeps the map."""
        kind = Bottleneck if "embeddings" in site.shared else cls
        site.shared["embeddings"] = True
        return kind(site.hidden_size, size, generator=generator)

    def embedding(self, states: Tensor) -> Tensor:
        """Place ``embedding``: on the embeddings, shape ``(batch, seq, hidden)``."""
        a, b = self._halves(states)
        a = a + self.first.run(b)
        return torch.cat([a, b + self.second.run(a)], dim=-1)

    def invert(self, states: Tensor) -> Tensor:
        """What `embedding` made this of, shape ``(..., hidden)``."""
        a, b = self._halves(states)
        b = b - self.second.run(a)
        return torch.cat([a - self.first.run(b), b], dim=-1)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        super().neutralise()
        with torch.no_grad():
            for network in (self.first, self.second):
                network.up.weight.zero_()
                network.up.bias.zero_()

    def _halves(self, states: Tensor) -> tuple[Tensor, Tensor]:
        half = self.first.up.out_features
        return states[..., :half], states[..., half:]


class _Network(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(inputs, inputs // REDUCTION, generator=generator)
        self.up = normal_linear(inputs // REDUCTION, outputs, generator=generator)

    def run(self, states: Tensor) -> Tensor:
        inner = functional.relu(product(states, self.down.weight, self.down.bias))
        return product(inner, self.up.weight, self.up.bias)
