"""Bottleneck adapters, method ``seq_bn``: one per layer, after the feed-forward block.

With ``s = h + x`` (feed-forward output plus its residual) and the layer's own norm, an adapter changes the sum to

    s' = s + U relu(D norm(s) + b) + c

and the layer ends with ``norm(s')``. Adapters in a stack apply this one after the other. Untrained, ``U`` and ``D`` are
normal with a small deviation and the biases zero, so the effect is small but not zero; with ``U = 0, c = 0`` the layer
computes exactly what it did without adapter.

Source: Pfeiffer et al. 2021 (AdapterFusion), figure 5; the `adapters` library, SeqBnConfig.
Differs from it in the order of the two additions to ``h`` only (rounding).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.errors import VariantError

INIT_STD = 0.02
"""Standard deviation of new adapter and fusion matrices (library rule "bert")."""


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """What determines the modules of an adapter.

    Attributes:
        method: adapter method of the catalogue; only ``seq_bn`` here.
        bottleneck_size: width of the bottleneck.
    """

    method: str
    bottleneck_size: int

    @classmethod
    def of(cls, adapter: Mapping[str, Any], hidden_size: int) -> AdapterShape:
        """Resolve the adapter of a recipe, ``{method, reduction_factor}`` or ``{method, bottleneck_size}``.

        Raises:
            VariantError: another method, or not exactly one positive size.
        """
        method = adapter.get("method")
        if method != "seq_bn":
            raise VariantError(f"adapter method {method!r} cannot run here", fix="use method: seq_bn")
        sizes = {key: adapter[key] for key in ("reduction_factor", "bottleneck_size") if adapter.get(key) is not None}
        unknown = sorted(set(adapter) - {"method", "reduction_factor", "bottleneck_size"})
        if len(sizes) != 1 or unknown or min(sizes.values()) <= 0:
            raise VariantError(
                f"adapter {dict(adapter)}: expected one of reduction_factor and bottleneck_size, above 0, and no more",
                fix="give one of the two sizes",
            )
        if "bottleneck_size" in sizes:
            return cls("seq_bn", int(sizes["bottleneck_size"]))
        return cls("seq_bn", max(1, int(hidden_size // sizes["reduction_factor"])))


class Bottleneck(nn.Module):
    """The adapter of one layer.

    Args:
        hidden_size: width of the backbone.
        bottleneck_size: width in the middle.
        generator: source of the start values.
    """

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, bottleneck_size, generator=generator)
        self.up = normal_linear(bottleneck_size, hidden_size, generator=generator)

    def forward(self, total: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Add the adapter to a layer's sum.

        Args:
            total: feed-forward output plus residual, shape ``(batch, seq, hidden)``.
            norm: the layer's output norm; the caller applies it to the result.
        """
        down = functional.relu(functional.linear(norm(total), self.down.weight, self.down.bias))
        return total + functional.linear(down, self.up.weight, self.up.bias)


class Adapter(nn.ModuleList):
    """One `Bottleneck` for every layer of a backbone, bottom first.

    Args:
        layers: number of layers.
        hidden_size: width of the backbone.
        shape: method and size.
        generator: source of the start values.
    """

    def __init__(self, layers: int, hidden_size: int, shape: AdapterShape, *, generator: torch.Generator) -> None:
        super().__init__(Bottleneck(hidden_size, shape.bottleneck_size, generator=generator) for _ in range(layers))
        self.shape = shape


def normal_linear(inputs: int, outputs: int, *, generator: torch.Generator, bias: bool = True) -> nn.Linear:
    """A linear layer, weights normal with `INIT_STD`, bias zero; leaves the global random state alone."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.normal_(0.0, INIT_STD, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer
