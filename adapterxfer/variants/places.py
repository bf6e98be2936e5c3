"""Where inside an encoder something may act, for every architecture alike.

An encoder calls a place with what it has there and continues with what comes back. Which places exist is a matter of
the encoder (`encoder`, `hooked`), what happens there of the adapters; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor, nn

from adapterxfer.backbones.quantized import computes_in
from adapterxfer.catalog.architectures import Place
from adapterxfer.variants.casts import LOW, lowered, raised
from adapterxfer.variants.products import applied

Norm = Callable[[Tensor], Tensor]
"""The norm that ends a block, or the identity where the architecture has none there."""

Sum = Callable[[int, Tensor, Tensor, Norm], Tensor]
"""``(layer, sum of a block's output and its residual, the residual, the norm) -> changed sum``; all of shape
``(batch, seq, hidden)``."""

Linear = Callable[[int, str, nn.Linear, Tensor], Tensor]
"""``(layer, role, the linear map, its input) -> its changed output``.

Roles are ``query``, ``key``, ``value``, ``ffn_in`` (where a block has one such map) and ``ffn_out``, and ``qkv`` where
one map serves all three attention inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What acts at each place; ``None`` where nothing does.

    Attributes:
        attention: on the sum after self-attention, before its norm.
        ffn: on the sum after the feed-forward block, before its norm.
        linear: in place of a linear map.
        layer: ``(layer, output) -> output``, after the layer's last norm.
        keys_values: ``layer -> keys, values`` that stand before those of the tokens, each of shape
            ``(length, hidden)``; only the own encoder knows this place.
        embedding: on what the first layer reads, shape ``(batch, seq, hidden)``; not in encoders whose embeddings are
            narrower than their layers.
        whole: what acts on sums needs them in the rows of the batch; otherwise an encoder may hand on the positions of
            all rows as one, with some more behind them.
    """

    attention: Sum | None = None
    ffn: Sum | None = None
    linear: Linear | None = None
    layer: Callable[[int, Tensor], Tensor] | None = None
    keys_values: Callable[[int], tuple[Tensor, Tensor]] | None = None
    embedding: Callable[[Tensor], Tensor] | None = None
    whole: bool = False


class Absent(nn.Module):
    """In place of an adapter's module in layers that it leaves out: nothing acts there."""

    places: ClassVar[tuple[str, ...]] = ()

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``ffn``."""
        return total

    def attention(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``attention``."""
        return total

    def neutralise(self) -> None:
        """There is nothing to set."""


def places_of(adapters: Sequence[Any]) -> Places | None:
    """The places of adapters that act one after the other, bottom first; ``None`` for no adapter.

    Args:
        adapters: sequences of one module per layer. A module has an attribute ``places`` and, for each place in it, a
            method of that name: ``ffn(total, residual, norm)``, ``attention(total, residual, norm)``,
            ``layer(states)``, ``keys_values()``; for ``linear`` the methods ``linear_input(role, x)`` and
            ``linear_output(role, linear, x, base, now)``, where ``base`` is the output of the frozen map and ``now``
            what the adapters below have made of it. One that computes the frozen map along has
            ``whole_linear(role, x)`` too: the changed output, or None for a map that it leaves alone.
    """
    if not adapters:
        return None
    by_site = {
        site: [adapter for adapter in adapters if any(site in layer.places for layer in adapter)]
        for site in get_args(Place)
    }

    def sums(block: str) -> Sum | None:
        active = by_site[block]
        if not active:
            return None

        def run(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            for adapter in active:
                total = getattr(adapter[index], block)(total, residual, norm)
            return total

        return run

    def layer(index: int, states: Tensor) -> Tensor:
        for adapter in by_site["layer"]:
            states = adapter[index].layer(states)
        return states

    def keys_values(index: int) -> tuple[Tensor, Tensor]:
        pairs = [adapter[index].keys_values() for adapter in by_site["keys_values"]]
        return torch.cat([keys for keys, _ in pairs]), torch.cat([values for _, values in pairs])

    def embedding(states: Tensor) -> Tensor:
        for adapter in by_site["embedding"]:
            states = adapter[0].embedding(states)
        return states

    return Places(
        attention=sums("attention"),
        ffn=sums("ffn"),
        linear=_linear(by_site["linear"]),
        layer=layer if by_site["layer"] else None,
        keys_values=keys_values if by_site["keys_values"] else None,
        embedding=embedding if by_site["embedding"] else None,
    )


def below(lower: Places | None, upper: Places | None) -> Places | None:
    """A bottleneck (with its embeddings) below a mixture of bottlenecks: one acts after the other.

    Args:
        lower: of a language adapter.
        upper: of a fusion, which acts on the sum after the feed-forward block only.
    """
    if lower is None or upper is None:
        return upper if lower is None else lower
    first, second = lower.ffn, upper.ffn
    assert first is not None, "a language adapter acts there"
    assert second is not None, "a fusion acts there"

    def both(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        return second(index, first(index, total, residual, norm), residual, norm)

    return replace(lower, ffn=both)


def _linear(active: Sequence[Any]) -> Linear | None:
    """All adapters see the same input and the output of the frozen map, so low-rank updates add up to a true sum."""
    if not active:
        return None

    alone = active[0] if len(active) == 1 and hasattr(active[0][-1], "whole_linear") else None

    def run(index: int, role: str, linear: nn.Linear, states: Tensor) -> Tensor:
        computes = computes_in(linear)
        dtype = computes if computes in LOW else None
        if alone is not None and dtype is None:
            # A library's module computes the frozen map itself: once is enough where nothing else acts on it.
            whole: Tensor | None = alone[index].whole_linear(role, states)
            if whole is not None:
                return whole
        if dtype is not None:
            states = raised(states)
        for adapter in active:
            states = adapter[index].linear_input(role, states)
        inputs = states if dtype is None else lowered(states, dtype)
        now = base = applied(linear, inputs)
        if dtype is not None:
            now = base = raised(base)
        for adapter in active:
            now = adapter[index].linear_output(role, linear, states, base, now)
        return now if dtype is None else lowered(now, dtype)

    return run
