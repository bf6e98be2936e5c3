"""Matrix products by oneDNN, where that is the faster library.

torch gives products of float32 on an x86 processor to MKL, which uses half of the vector width (AVX2) on processors
that it does not know: on an AMD EPYC of the fifth generation 107 GFLOP/s per core, where oneDNN, which asks the
processor what it can, makes 230. Both compute in float32 throughout; sums are added in another order, so the last
digits differ.

oneDNN prepares a kernel for each new shape, so states come in numbers of rows that divide by `formats.linear.ROWS`. Of
small matrices the products would not earn back what the calls cost. Products in bfloat16 are oneDNN's without this.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.formats.linear import filled_linear

WIDE = 2**16
"""Square of the width above which an encoder counts as wide: 384 has more, 128 (the world's widest) has not."""

PAYS = 3 * 2**10
"""Numbers in a matrix from which on its products go to oneDNN, those of LoRA's eight ranks at 384 wide. Forward and
backward pass of 512 to 1,536 positions, CPU time against torch's: 0.4 to 0.9 at 384 x 8, 0.7 to 0.9 at 96 x 48, 0.8 to
1.2 at 48 x 48. Whole trainings of the world's backbones took 0.77 to 0.81 of it at 96 wide and 0.9 at 64."""

_PLAIN = (Tensor, nn.Parameter)
"""Matrices that are neither in shards nor traced."""


def product(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``states weight' + bias``, as `torch.nn.functional.linear`.

    Args:
        states: shape ``(..., in)``.
        weight: shape ``(out, in)``.
        bias: shape ``(out,)``.
    """
    if not _suits(states, weight):
        return filled_linear(states, weight, bias)
    if _asks_gradients(states, weight, bias):
        result: Tensor = _Product.apply(states, weight, bias)  # type: ignore[no-untyped-call]
        return result
    return _multiply(states, weight, bias)


def applied(linear: nn.Linear, states: Tensor) -> Tensor:
    """What a frozen linear map makes of states of shape ``(..., in)``.

    Weights that a library holds packed are read by its own module, never by a product of ours.
    """
    if linear.weight.is_floating_point():
        return product(states, linear.weight, linear.bias)
    result: Tensor = type(linear).forward(linear, states)
    return result


def applied_gelu(linear: nn.Linear, states: Tensor) -> Tensor:
    """GELU of what a frozen linear map makes of states; in one pass where nobody asks for gradients."""
    weight, bias = linear.weight, linear.bias
    if not _suits(states, weight) or _asks_gradients(states, weight, bias):
        return functional.gelu(applied(linear, states))
    result: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "gelu", [], "none")
    return result


def comes_in_rows(states: Tensor) -> bool:
    """Whether an encoder with such states, shape ``(..., hidden)``, has its large products made by oneDNN."""
    return 4 * states.shape[-1] ** 2 >= PAYS and _can(states)


def _asks_gradients(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _suits(states: Tensor, weight: Tensor) -> bool:
    return weight.numel() >= PAYS and weight.dtype == torch.float32 and type(weight) in _PLAIN and _can(states)


def _can(states: Tensor) -> bool:
    return (
        states.device.type == "cpu"
        and states.dtype == torch.float32
        and states.numel() > 0
        and _has_wide_vectors()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


@cache
def _has_wide_vectors() -> bool:
    """Whether this processor has what MKL leaves unused elsewhere; without it both libraries are as fast."""
    return bool(torch.backends.mkldnn.is_available()) and torch.backends.cpu.get_cpu_capability() == "AVX512"


def _multiply(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``states weight' + bias``; either may be a transposed view."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # What a frozen matrix read is not kept: its gradient needs the matrix alone.
        ctx.save_for_backward(states if weight.requires_grad else None, weight if states.requires_grad else None)
        return _multiply(states, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        states, weight = ctx.saved_tensors
        of_states = of_weight = of_bias = None
        rows = gradient.flatten(0, -2)
        if weight is not None:
            of_states = _multiply(gradient, weight.t(), None)
        if states is not None:
            of_weight = _of_weight(rows, states.flatten(0, -2))
        if ctx.needs_input_grad[2]:
            of_bias = rows.sum(dim=0)
        return of_states, of_weight, of_bias


def _of_weight(gradient: Tensor, states: Tensor) -> Tensor:
    """Gradient ``(out, in)`` of a matrix, from the rows of its outputs' gradient and of its inputs."""
    if gradient.shape[1] > states.shape[1]:  # a quarter faster with the longer side as the kernel's inner one
        return _multiply(states.t(), gradient.t(), None).t()
    return _multiply(gradient.t(), states.t(), None)
