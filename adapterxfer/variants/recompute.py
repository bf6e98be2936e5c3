"""Gradient checkpointing: the activations inside a layer are computed again in the backward pass instead of kept.

Per layer, without re-entrant autograd, so inputs need no gradient of their own: forcing one on the embeddings, as
libraries do, would pull the backward pass through every frozen layer. The numbers are the same bits, dropout included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from adapterxfer.variants.slot import Slot


def recomputed(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The value of ``function``, whose inner activations are not kept; plainly called where nothing is recorded."""
    if not torch.is_grad_enabled():
        return function(*arguments, **named)
    return checkpoint(function, *arguments, use_reentrant=False, **named)


def recompute_layer(layer: nn.Module, slot: Slot) -> None:
    """Let a layer of a hooked copy recompute where its slot says so.

    The second pass happens after the model's own forward has ended, so what acted then is put back for it.
    """
    plain = layer.forward

    def forward(*arguments: Any, **named: Any) -> Any:
        if not slot.recompute:
            return plain(*arguments, **named)
        places, training = slot.places, layer.training

        def run(*again: Any, **named_again: Any) -> Any:
            with _as_then(layer, slot, places, training):
                return plain(*again, **named_again)

        return recomputed(run, *arguments, **named)

    layer.forward = forward


@contextmanager
def _as_then(layer: nn.Module, slot: Slot, places: Any, training: bool) -> Iterator[None]:
    before, mode = slot.places, layer.training
    slot.places = places
    layer.train(training)
    try:
        yield
    finally:
        slot.places = before
        layer.train(mode)
