"""``compacter``: bottlenecks after both blocks whose matrices are sums of Kronecker products.

A matrix of shape ``(in, out)`` is ``H = sum_i A_i (x) (s_i t_i')`` with four rules ``A_i`` of shape (4, 4), shared by
all layers of an adapter, and vectors ``s_i`` of ``in / 4`` and ``t_i`` of ``out / 4`` numbers. The bottleneck itself is
that of ``double_seq_bn`` with GELU.

Source: Karimi Mahabadi et al. 2021 (Compacter), section 4; the `adapters` library, CompacterConfig.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.errors import VariantError
from adapterxfer.variants.places import Norm
from adapterxfer.variants.products import product

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

RULES = 4
"""Number and width of the shared rules (``phm_dim`` of the library)."""

RULE_STD = 0.01
"""Standard deviation of their start values."""


class Compacter(nn.Module):
    """``compacter`` in one layer.

    Args:
        hidden_size, bottleneck_size: multiples of 4.
        generator: source of the start values.
        shared: what the layers of one adapter have in common; the first layer makes the rules.

    Raises:
        VariantError: a width is no multiple of 4.
    """

    places: ClassVar[tuple[str, ...]] = ("attention", "ffn")

    def __init__(
        self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator, shared: dict[str, Any]
    ) -> None:
        super().__init__()
        if hidden_size % RULES or bottleneck_size % RULES:
            raise VariantError(
                f"compacter: widths {hidden_size} (backbone) and {bottleneck_size} (bottleneck) are not multiples of 4",
                fix="choose a reduction_factor that gives a bottleneck of 4, 8, 12...",
            )
        if "rule" not in shared:
            rule = torch.empty(RULES, RULES, RULES).normal_(0.0, RULE_STD, generator=generator)
            shared["rule"] = nn.Parameter(rule)
        self.rule: nn.Parameter = shared["rule"]
        self.after_attention = _Bottleneck(hidden_size, bottleneck_size, generator=generator)
        self.after_ffn = _Bottleneck(hidden_size, bottleneck_size, generator=generator)

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Self:
        """The module of one layer."""
        return cls(site.hidden_size, size, generator=generator, shared=site.shared)

    def attention(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``attention``."""
        return total + self.after_attention.run(total - residual, self.rule)

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature of the place
        """Place ``ffn``."""
        return total + self.after_ffn.run(total - residual, self.rule)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            for bottleneck in (self.after_attention, self.after_ffn):
                bottleneck.up.left.zero_()
                bottleneck.up.bias.zero_()


class _Bottleneck(nn.Module):
    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = _Products(hidden_size, bottleneck_size, generator=generator)
        self.up = _Products(bottleneck_size, hidden_size, generator=generator)

    def run(self, states: Tensor, rule: Tensor) -> Tensor:
        return self.up.run(functional.gelu(self.down.run(states, rule)), rule)


class _Products(nn.Module):
    """One matrix; the factors start uniform by Glorot's rule, each as a matrix of its own."""

    def __init__(self, inputs: int, outputs: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.left = nn.Parameter(_glorot(inputs // RULES, 1, generator))
        self.right = nn.Parameter(_glorot(1, outputs // RULES, generator))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def run(self, states: Tensor, rule: Tensor) -> Tensor:
        inner = torch.bmm(self.left, self.right)
        matrix = torch.einsum("iab,icd->acbd", rule, inner)
        return product(states, matrix.reshape(states.shape[-1], -1).t(), self.bias)


def _glorot(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    bound = (6.0 / (rows + columns)) ** 0.5
    return torch.empty(RULES, rows, columns).uniform_(-bound, bound, generator=generator)
