"""Dropout on a processor from 16 random bits a number.

torch draws 64 random bits for each number there, one after the other: 5 to 9 % of a training step of adapters.
A number is dropped here where its 16 bits, as a whole number, fall below ``share * 65536``, rounded; what is kept is
multiplied so that the expected value stays what it was. Elsewhere, and in compiled graphs, dropout is torch's.

Source: Srivastava et al. 2014, section 4, scaled in training as in `torch.nn.functional.dropout`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 2**16
"""Of the random numbers; shares of dropout are rounded to a multiple of one in so many."""


def dropped(states: Tensor, share: float) -> Tensor:
    """States of any shape after dropout with probability ``share``."""
    if not share:
        return states
    if not _own(states):
        return functional.dropout(states, share)
    return states * _kept(states, share) * _factor(share)


def dropped_plus(states: Tensor, share: float, residual: Tensor) -> Tensor:
    """The sum of states after dropout and of a residual of the same shape."""
    if share and _own(states) and states.dtype == residual.dtype:
        return torch.addcmul(residual, states, _kept(states, share), value=_factor(share))
    return dropped(states, share) + residual


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, share: float) -> Tensor:
    """Scaled dot products with dropout on the shares of attention, as torch's own function gives them without it.

    With dropout, torch's takes the steps one by one on a processor as well; formats below float32 it raises for that,
    so they are left to it.

    Args:
        query: shape ``(batch, heads, asking, size)``.
        key: shape ``(batch, heads, seq, size)``.
        value: the shape of the keys.
        mask: what is added to products, shape ``(batch or 1, 1, 1, seq)``; ``None`` for nothing.
        share: probability of dropout.
    """
    if not share or not _own(query) or query.dtype != torch.float32:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=share)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
    shares = functional.softmax(scores if mask is None else scores + mask, dim=-1)
    return torch.matmul(shares * _kept(shares, share), value * _factor(share))


def _own(states: Tensor) -> bool:
    return states.device.type == "cpu" and not torch.compiler.is_compiling()


def _dropped_levels(share: float) -> int:
    return round(share * LEVELS)


def _factor(share: float) -> float:
    """Of what is kept; 0 where nothing is."""
    kept = LEVELS - _dropped_levels(share)
    return LEVELS / kept if kept else 0.0


def _kept(states: Tensor, share: float) -> Tensor:
    """Shape and dtype of the states: 1 where a number is kept, 0 where it is dropped."""
    count = states.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)  # the full range of an int64
    levels = words.view(torch.int16)[:count].view(states.shape)
    below = _dropped_levels(share) - LEVELS // 2
    if below == LEVELS // 2:  # no int16 is so large
        return torch.zeros_like(states)
    return (levels >= below).to(states.dtype)
