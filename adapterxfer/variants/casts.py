"""Casts between the low number format of a frozen backbone and float32; see `precision`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LOW = (torch.bfloat16, torch.float16)

SCALE = {torch.bfloat16: 1.0, torch.float16: 1024.0}
"""Factor of gradients inside the backbone: bfloat16 has the range of float32, float16 ends at 65504 and 6e-8."""


class _Raise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor) -> Tensor:
        ctx.dtype = states.dtype
        return states.float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return (gradient * SCALE[ctx.dtype]).to(ctx.dtype)


class _Lower(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.dtype = dtype
        return states.to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.float() / SCALE[ctx.dtype], None


def raised(states: Tensor) -> Tensor:
    """States of a low format in float32; others as they are."""
    if states.dtype not in LOW:
        return states
    result: Tensor = _Raise.apply(states)  # type: ignore[no-untyped-call]
    return result


def lowered(states: Tensor, dtype: torch.dtype) -> Tensor:
    """States in the low format of a backbone."""
    if states.dtype == dtype:
        return states
    result: Tensor = _Lower.apply(states, dtype)  # type: ignore[no-untyped-call]
    return result
