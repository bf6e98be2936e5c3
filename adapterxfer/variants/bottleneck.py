"""Bottleneck adapters: ``seq_bn`` after the feed-forward block, ``double_seq_bn`` after both, ``par_bn`` beside it.

With ``s = h + x`` (a block's output ``h`` plus its residual ``x``) and the norm that ends the block, they change the
sum to

    seq_bn          s' = s + U relu(D norm(s) + b) + c
    double_seq_bn   s' = s + U silu(D h + b) + c            after attention and after the feed-forward block
    par_bn          s' = s + 4 (U relu(D x + b) + c)

and the block ends with ``norm(s')``. Adapters in a stack apply this one after the other. Where an architecture has no
norm at the end of its blocks (pre-norm), ``norm`` is the identity, so the same name is another function there.

Each of them is written once, as a `Formula` over the network ``U a(D . + b) + c``: alone it runs with the weights of
one adapter, in `together` with those of several seeds in one batch.

Sources: Pfeiffer et al. 2021 (AdapterFusion), figure 5; Houlsby et al. 2019; He et al. 2022; the `adapters` library,
SeqBnConfig, DoubleSeqBnConfig, ParBnConfig. Differs from it in the order of additions only (rounding), and in a stack
of ``par_bn``: both adapters add to the sum, where the library's upper one replaces what the lower one computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.catalog.methods.configured import effective
from adapterxfer.formats.linear import EmptyLinear
from adapterxfer.variants.places import Norm
from adapterxfer.variants.products import product

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

INIT_STD = 0.02
"""Standard deviation of new adapter and fusion matrices (library rule "bert")."""

PARALLEL_SCALE = 4.0
"""Factor of He et al. 2022, section 4.5."""

Activation = Callable[[Tensor], Tensor]
Through = Callable[[Tensor, Activation], Tensor]
"""``(states, activation) -> up(activation(down(states)))``."""
Change = Callable[[Through, Tensor, Tensor, Norm], Tensor]
"""``(through, sum, residual, norm) -> changed sum``."""


class Formula(NamedTuple):
    """What a bottleneck method does at one place.

    Attributes:
        network: name of its down- and up-projection inside the module; empty for the module's own.
        change: ``(through, sum, residual, norm) -> changed sum``.
    """

    network: str
    change: Change


ACTIVATIONS: Mapping[str, Activation] = {
    "relu": functional.relu,
    "swish": functional.silu,
    "gelu": functional.gelu,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "tanh": torch.tanh,
    "leakyrelu": functional.leaky_relu,
    "sigmoid": torch.sigmoid,
}
"""Non-linearities by their names in `adapters` (`catalog.methods.configured.NON_LINEARITIES`)."""


def with_settings(method: str, config: str) -> Change | None:
    """What a bottleneck with settings of its own does at a place; None where all settings are the defaults.

    The output ``h`` of a block is ``sum - residual``. The bottleneck reads ``norm(sum)`` or ``h``; the block ends with
    the norm of the residual, plus what the bottleneck gives, plus ``h`` or what it has read (`adapters`, pre_forward).
    """
    if not config:
        return None
    values = effective(method, config)
    activation, factor = ACTIVATIONS[values["non_linearity"]], float(values["scaling"])
    if "original_ln_before" not in values:
        return lambda through, total, x, _: total + factor * through(x, activation)
    before, kept = bool(values["original_ln_before"]), bool(values["residual_before_ln"])

    def change(through: Through, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        read = norm(total) if before else total - residual
        output = factor * through(read, activation)
        return total + output if kept else residual + read + output

    return change


def start_of(method: str, config: str) -> float:
    """Standard deviation of the start weights."""
    return float(effective(method, config).get("init_std", INIT_STD)) if config else INIT_STD


class Network(nn.Module):
    """Down- and up-projection, with biases.

    Args:
        hidden_size: width of the backbone.
        bottleneck_size: width in the middle.
        generator: source of the start values.
    """

    def __init__(
        self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator, std: float = INIT_STD
    ) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, bottleneck_size, generator=generator, std=std)
        self.up = normal_linear(bottleneck_size, hidden_size, generator=generator, std=std)

    def through(self, states: Tensor, activation: Activation) -> Tensor:
        """``up(activation(down(states)))``."""
        inner = activation(product(states, self.down.weight, self.down.bias))
        return product(inner, self.up.weight, self.up.bias)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        with torch.no_grad():
            self.up.weight.zero_()
            self.up.bias.zero_()


class Bottleneck(Network):
    """``seq_bn`` in one layer; another method of one network has other ``formulas``."""

    places: ClassVar[tuple[str, ...]] = ("ffn",)
    formulas: ClassVar[Mapping[str, Formula]] = {
        "ffn": Formula("", lambda through, total, _, norm: total + through(norm(total), functional.relu))
    }

    own: Change | None = None
    """What it does in place of its formula, where its settings are not the defaults."""

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Bottleneck:
        """The module of one layer."""
        if not site.config:
            return cls(site.hidden_size, size, generator=generator)
        module = cls(site.hidden_size, size, generator=generator, **cls._start(site))
        module.own = with_settings(site.method.name, site.config)
        return module

    @classmethod
    def _start(cls, site: Site) -> dict[str, float]:
        return {"std": start_of(site.method.name, site.config)}

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        """Place ``ffn``."""
        return (self.own or self.formulas["ffn"].change)(self.through, total, residual, norm)


class DoubleBottleneck(nn.Module):
    """``double_seq_bn`` in one layer; arguments as for `Network`."""

    places: ClassVar[tuple[str, ...]] = ("attention", "ffn")
    formulas: ClassVar[Mapping[str, Formula]] = {
        "attention": Formula(
            "after_attention", lambda through, total, x, _: total + through(total - x, functional.silu)
        ),
        "ffn": Formula("after_ffn", lambda through, total, x, _: total + through(total - x, functional.silu)),
    }

    own: Change | None = None
    """As for `Bottleneck`."""

    def __init__(
        self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator, std: float = INIT_STD
    ) -> None:
        super().__init__()
        self.after_attention = Network(hidden_size, bottleneck_size, generator=generator, std=std)
        self.after_ffn = Network(hidden_size, bottleneck_size, generator=generator, std=std)

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Self:
        """The module of one layer."""
        module = cls(site.hidden_size, size, generator=generator, std=start_of(site.method.name, site.config))
        module.own = with_settings(site.method.name, site.config)
        return module

    def attention(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        """Place ``attention``."""
        change = self.own or self.formulas["attention"].change
        return change(self.after_attention.through, total, residual, norm)

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        """Place ``ffn``."""
        return (self.own or self.formulas["ffn"].change)(self.after_ffn.through, total, residual, norm)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes."""
        self.after_attention.neutralise()
        self.after_ffn.neutralise()


class ParallelBottleneck(Bottleneck):
    """``par_bn`` in one layer, which starts without any effect."""

    formulas: ClassVar[Mapping[str, Formula]] = {
        "ffn": Formula("", lambda through, total, x, _: total + PARALLEL_SCALE * through(x, functional.relu))
    }

    def __init__(self, hidden_size: int, bottleneck_size: int, *, generator: torch.Generator) -> None:
        super().__init__(hidden_size, bottleneck_size, generator=generator)
        uniform_like_linear(self.down.weight, generator=generator)
        self.neutralise()

    @classmethod
    def _start(cls, site: Site) -> dict[str, float]:  # noqa: ARG003 - it has a start of its own
        return {}


def normal_linear(
    inputs: int, outputs: int, *, generator: torch.Generator, bias: bool = True, std: float = INIT_STD
) -> nn.Linear:
    """A linear layer, weights normal with ``std``, bias zero; leaves the global random state alone."""
    layer = EmptyLinear(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.normal_(0.0, std, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer


def uniform_like_linear(weight: Tensor, *, generator: torch.Generator) -> None:
    """Fill a matrix ``(out, in)`` as `torch.nn.Linear` starts: uniform within ``1 / sqrt(in)``."""
    bound = weight.shape[1] ** -0.5
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=generator)
