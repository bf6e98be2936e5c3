"""Linear maps: with weights that are still to be drawn, and with rows filled up.

oneDNN, which makes torch's products in bfloat16 on a processor, prepares a kernel for each new shape: about a
millisecond, and a third of a megabyte that stays. Numbers of rows are as many as there are batches, so they are filled
up with zeros to a multiple of `ROWS`. A worker that trained three layers 384 wide in bfloat16 held 2.2 GiB after 100
seconds of CPU time without that, and 1.3 after 101 with it.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS = 32
"""Positions of a batch are filled up to a multiple of this with rows that nobody reads."""


class EmptyLinear(nn.Linear):
    """A linear map whose weights are still to be drawn; what torch has for that imports a compiler."""

    def reset_parameters(self) -> None:
        """Draw nothing."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """As `filled_linear`."""
        return filled_linear(input, self.weight, self.bias)


def filled_linear(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, in bfloat16 on a processor with rows filled up.

    The same bits: it is done only on processors where that was seen (`_keeps_bits`), and a test compares them there.

    Args:
        states: shape ``(..., in)``.
        weight: shape ``(out, in)``.
        bias: shape ``(out,)``.
    """
    rows = states.numel() // weight.shape[1]
    # A single row is multiplied in another way, whose last bits differ.
    if rows % ROWS == 0 or rows == 1 or not _in_bfloat16(states):
        return functional.linear(states, weight, bias)
    filled = filled_up(states.reshape(rows, -1).bfloat16())
    return functional.linear(filled, weight, bias)[:rows].view(*states.shape[:-1], -1)


def filled_up(states: Tensor) -> Tensor:
    """States ``(positions, hidden)`` or indices ``(positions,)`` as ``(rows, ...)``, zeros behind the last one."""
    missing = -len(states) % ROWS
    return functional.pad(states, (0, 0, 0, missing) if states.ndim == 2 else (0, missing)) if missing else states


def _in_bfloat16(states: Tensor) -> bool:
    """Whether torch gives a product of such states to oneDNN in bfloat16."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else states.dtype
    return (
        states.device.type == "cpu"
        and dtype == torch.bfloat16
        and states.dtype != torch.float64  # which autocast leaves alone
        and _keeps_bits()
        and not torch.compiler.is_compiling()
    )


@cache
def _keeps_bits() -> bool:
    """Whether filled rows change no bit on this processor: looked at where it multiplies bfloat16 by AVX-512.

    Where oneDNN only imitates such products, gradients of weights come out in another order of sums; processors with
    AMX were not at hand. There torch's own way stays, so that stored results stay what a training gives.
    """
    torch_can = bool(torch.backends.mkldnn.is_available())
    return torch_can and torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported()
