"""Bottleneck adapters: ``seq_bn`` after the feed-forward block, ``double_seq_bn`` after both, ``par_bn`` beside it.

With ``s = h + x`` (a block's output ``h`` plus its residual ``x``) and the norm that ends the block, they change the
sum to

    seq_bn          s' = s + U relu(D norm(s) + b) + c
    double_seq_bn   s' = s + U silu(D h + b) + c            after attention and after the feed-forward block
    par_bn          s' = s + 4 (U relu(D x + b) + c)

and the block ends with ``norm(s')``. Adapters in a stack apply this one after the other. Where an architecture has no
norm at the end of its blocks (pre-norm), ``norm`` is the identity, so the same name is another function there.

Sources: Pfeiffer et al. 2021 (AdapterFusion), figure 5; Houlsby et al. 2019; He et al. 2022; the `adapters` library,
SeqBnConfig, DoubleSeqBnConfig, ParBnConfig. Differs from it in the order of additions only (rounding), and in a stack
of ``par_bn``: both adapters add to the sum, where the library's upper one replaces what the lower one computed.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.variants.places import Norm

INIT_STD = 0.02
"""Standard deviation of new adapter and fusion matrices (library rule "bert")."""

PARALLEL_SCALE = 4.0
"""Factor of He et al. 2022, section 4.5."""


class Bottleneck(nn.Module):
    """``seq_bn`` in one layer.

    Args:
        hidden_size: width of the backbone.
        bottleneck_size: width in the middle.
        generator: source of the start values.
    """

    places: ClassVar[tuple[str, ...]] = ("ffn",)

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, bottleneck_size, generator=generator)
        self.up = normal_linear(bottleneck_size, hidden_size, generator=generator)

    def forward(self, total: Tensor, norm: Norm) -> Tensor:
        """Add the adapter to a layer's sum.

        Args:
            total: feed-forward output plus residual, shape ``(batch, seq, hidden)``.
            norm: the layer's output norm; the caller applies it to the result.
        """
        down = functional.relu(functional.linear(norm(total), self.down.weight, self.down.bias))
        return total + functional.linear(down, self.up.weight, self.up.bias)

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``ffn``."""
        changed: Tensor = self(total, norm)
        return changed

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            self.up.weight.zero_()
            self.up.bias.zero_()


class DoubleBottleneck(nn.Module):
    """``double_seq_bn`` in one layer; arguments as for `Bottleneck`."""

    places: ClassVar[tuple[str, ...]] = ("attention", "ffn")

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.after_attention = _Pair(hidden_size, bottleneck_size, generator=generator)
        self.after_ffn = _Pair(hidden_size, bottleneck_size, generator=generator)

    def attention(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``attention``."""
        return total + self.after_attention.run(total - residual)

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``ffn``."""
        return total + self.after_ffn.run(total - residual)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            for pair in (self.after_attention, self.after_ffn):
                pair.up.weight.zero_()
                pair.up.bias.zero_()


class _Pair(nn.Module):
    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, bottleneck_size, generator=generator)
        self.up = normal_linear(bottleneck_size, hidden_size, generator=generator)

    def run(self, states: Tensor) -> Tensor:
        down = functional.silu(functional.linear(states, self.down.weight, self.down.bias))
        return functional.linear(down, self.up.weight, self.up.bias)


class ParallelBottleneck(nn.Module):
    """``par_bn`` in one layer, which starts without any effect; arguments as for `Bottleneck`."""

    places: ClassVar[tuple[str, ...]] = ("ffn",)

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, bottleneck_size, generator=generator)
        self.up = normal_linear(bottleneck_size, hidden_size, generator=generator)
        uniform_like_linear(self.down.weight, generator=generator)
        self.neutralise()

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``ffn``."""
        down = functional.relu(functional.linear(residual, self.down.weight, self.down.bias))
        return total + PARALLEL_SCALE * functional.linear(down, self.up.weight, self.up.bias)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            self.up.weight.zero_()
            self.up.bias.zero_()


def normal_linear(inputs: int, outputs: int, *, generator: torch.Generator, bias: bool = True) -> nn.Linear:
    """A linear layer, weights normal with `INIT_STD`, bias zero; leaves the global random state alone."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.normal_(0.0, INIT_STD, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer


def uniform_like_linear(weight: Tensor, *, generator: torch.Generator) -> None:
    """Fill a matrix ``(out, in)`` as `torch.nn.Linear` starts: uniform within ``1 / sqrt(in)``."""
    bound = weight.shape[1] ** -0.5
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=generator)
