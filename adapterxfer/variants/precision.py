"""Frozen backbones with weights in bfloat16 or float16, below adapters and heads in float32.

The backbone computes in the format of its weights, as its library does. Adapters, fusions and heads keep their weights
in float32 and compute in it: states are raised where they enter and lowered where they go back. Nothing of the backbone
runs under autocast, which would mix a third format in.

Gradients below 6e-8 are zero in float16. Inside a float16 backbone they are therefore `casts.SCALE` times larger, by
the casts at its borders, which take the factor back: no optimiser has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adapterxfer.variants.casts import lowered, raised
from adapterxfer.variants.places import Norm, Places, Sum


def in_float32(places: Places, dtype: torch.dtype) -> Places:
    """The same places for a backbone in ``dtype``: what acts there sees and gives float32.

    The place ``linear`` raises by itself, because it decides where the frozen map runs (`places.places_of`).
    """

    def sums(act: Sum) -> Sum:
        def run(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            def outside(states: Tensor) -> Tensor:
                return raised(norm(lowered(states, dtype)))

            return lowered(act(index, raised(total), raised(residual), outside), dtype)

        return run

    def states_of(act: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda states: lowered(act(raised(states)), dtype)

    def layer_of(act: Callable[[int, Tensor], Tensor]) -> Callable[[int, Tensor], Tensor]:
        return lambda index, states: lowered(act(index, raised(states)), dtype)

    def pairs(act: Callable[[int], tuple[Tensor, Tensor]]) -> Callable[[int], tuple[Tensor, Tensor]]:
        def run(index: int) -> tuple[Tensor, Tensor]:
            keys, values = act(index)
            return lowered(keys, dtype), lowered(values, dtype)

        return run

    return Places(
        attention=None if places.attention is None else sums(places.attention),
        ffn=None if places.ffn is None else sums(places.ffn),
        linear=places.linear,
        layer=None if places.layer is None else layer_of(places.layer),
        keys_values=None if places.keys_values is None else pairs(places.keys_values),
        embedding=None if places.embedding is None else states_of(places.embedding),
    )
