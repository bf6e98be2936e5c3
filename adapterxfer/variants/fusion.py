"""AdapterFusion without materialising the outputs of the fused adapters.

With ``u_i = U_i z_i + c_i`` the output of adapter i without residual and ``q`` the query of the layer's normed sum,
fusion is

    p = softmax_i(q . (K u_i + k)),      s' = s + V sum_i p_i u_i

Both sums are linear in ``u_i``, so they need ``z_i`` only: ``q . K u_i = (U_i' K'q) . z_i + c_i . K'q`` (``q . k`` is
the same for all i and cancels), and ``V sum_i p_i u_i = V (U [p_i z_i] + sum_i p_i c_i)``. That replaces ``2 N``
products with ``hidden x hidden`` matrices per token by three, whatever N.

A low-rank fusion has queries and keys of ``rank`` numbers and ``V = 1 + U D`` of that rank: ``4 hidden rank`` instead
of ``3 hidden^2`` parameters a layer, an option of this project for wide backbones.

Source: Pfeiffer et al. 2021, section 3.2.2; the `adapters` library, BertFusion with the "dynamic" configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.variants.bottleneck import Bottleneck, normal_linear
from adapterxfer.variants.places import Absent, Norm, Places
from adapterxfer.variants.products import product

VALUE_OFF_DIAGONAL = 1e-6
"""The library starts the value matrix as the identity plus this, everywhere off the diagonal."""


PENALTY = 0.01
"""Weight of the squared distance between value matrix and identity, which is added to the loss of a step."""


NEAR_IDENTITY = "near_identity"
"""Attribute of a matrix that starts as the identity and is held there by its penalty: decay would pull it to 0."""


class FusionLayer(nn.Module):
    """The fusion of one layer.

    Args:
        hidden_size: width of the backbone.
        dropout: on the scores, as the library takes it from the attention dropout of the backbone.
        generator: source of the start values.
        rank: width of query and key, and of the value's distance from the identity; 0 for full matrices.
    """

    def __init__(self, hidden_size: int, *, dropout: float, generator: torch.Generator, rank: int = 0) -> None:
        super().__init__()
        self.query = normal_linear(hidden_size, rank or hidden_size, generator=generator)
        self.key = normal_linear(hidden_size, rank or hidden_size, generator=generator)
        self.value: nn.Module = (
            _NearIdentity(hidden_size, rank, generator=generator)
            if rank
            else normal_linear(hidden_size, hidden_size, generator=generator, bias=False)
        )
        if isinstance(self.value, nn.Linear):
            with torch.no_grad():
                self.value.weight.fill_(VALUE_OFF_DIAGONAL).fill_diagonal_(1.0)
            setattr(self.value.weight, NEAR_IDENTITY, True)
        self.dropout = dropout

    def forward(self, total: Tensor, norm: Norm, fused: Sequence[Any]) -> Tensor:
        """Add the mixture of adapters to a layer's sum.

        Args:
            total: feed-forward output plus residual, shape ``(batch, seq, hidden)``.
            norm: the layer's output norm; the caller applies it to the result.
            fused: the adapters of this layer, at least one; each a `Bottleneck`, or a module of a library with
                ``mixed_in(sum, norm)``, the output of its bottleneck.
        """
        states = norm(total)
        if not all(isinstance(adapter, Bottleneck) and adapter.own is None for adapter in fused):
            return total + self._mixture([_output_of(adapter, total, norm) for adapter in fused], states)
        sizes = [adapter.down.out_features for adapter in fused]
        down = torch.cat([adapter.down.weight for adapter in fused])
        down_bias = torch.cat([adapter.down.bias for adapter in fused])
        up = torch.cat([adapter.up.weight for adapter in fused], dim=1)
        up_bias = torch.stack([adapter.up.bias for adapter in fused])

        inner = functional.relu(product(states, down, down_bias))
        query = product(states, self.query.weight, self.query.bias)
        folded = product(query, self.key.weight.t())
        products = inner * product(folded, up.t())
        scores = _sum_groups(products, sizes) + product(folded, up_bias)
        if self.training and self.dropout:
            # A dropped score loses its constant too, which then no longer cancels.
            scores = scores + (query * self.key.bias).sum(-1, keepdim=True)
            scores = functional.dropout(scores, self.dropout)
        shares = functional.softmax(scores, dim=-1).to(inner.dtype)
        mixed = product(inner * _spread_groups(shares, sizes), up) + product(shares, up_bias.t())
        mixture: Tensor = product(mixed, self.value.weight) if isinstance(self.value, nn.Linear) else self.value(mixed)
        return total + mixture

    def _mixture(self, outputs: Sequence[Tensor], states: Tensor) -> Tensor:
        """The mixture of outputs that are given, one product for each: what cannot be taken apart is not folded."""
        stacked = torch.stack(list(outputs), dim=-2)
        query = product(states, self.query.weight, self.query.bias)
        keys = product(stacked, self.key.weight, self.key.bias)
        scores = (query.unsqueeze(-2) * keys).sum(-1)
        if self.training and self.dropout:
            scores = functional.dropout(scores, self.dropout)
        shares = functional.softmax(scores, dim=-1).to(stacked.dtype)
        mixture: Tensor = self.value((shares.unsqueeze(-1) * stacked).sum(-2))
        return mixture

    def add_penalty_gradients(self, factor: float) -> None:
        """Add the gradients of ``factor / 2 * |V - 1|^2``, which keep ``V`` near the identity."""
        if isinstance(self.value, _NearIdentity):
            self.value.add_penalty_gradients(factor)
        elif isinstance(self.value, nn.Linear) and (gradient := self.value.weight.grad) is not None:
            gradient.add_(self.value.weight, alpha=factor)
            gradient.diagonal().sub_(factor)


class _NearIdentity(nn.Module):
    """``V = 1 + U D`` with ``U`` (hidden, rank), ``D`` (rank, hidden), starting as the identity."""

    def __init__(self, hidden_size: int, rank: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.down = normal_linear(hidden_size, rank, generator=generator, bias=False)
        self.up = normal_linear(rank, hidden_size, generator=generator, bias=False)
        with torch.no_grad():
            self.up.weight.zero_()

    def forward(self, states: Tensor) -> Tensor:
        return states + product(product(states, self.down.weight), self.up.weight)

    def add_penalty_gradients(self, factor: float) -> None:
        up, down = self.up.weight, self.down.weight
        if up.grad is not None and down.grad is not None:
            up.grad.add_(up @ (down @ down.t()), alpha=factor)
            down.grad.add_((up.t() @ up) @ down, alpha=factor)


class Fusion(nn.ModuleList):
    """One `FusionLayer` for every layer of a backbone, bottom first.

    Args:
        layers: number of layers.
        hidden_size: width of the backbone.
        dropout: on the scores.
        generator: source of the start values.
        rank: of a low-rank fusion; 0 for full matrices, ``3 hidden^2`` parameters a layer.
        first_layer: of the adapters that are fused; below it there is nothing to fuse.
    """

    def __init__(
        self,
        layers: int,
        hidden_size: int,
        *,
        dropout: float,
        generator: torch.Generator,
        rank: int = 0,
        first_layer: int = 0,
    ) -> None:
        super().__init__(
            Absent()
            if index < first_layer
            else FusionLayer(hidden_size, dropout=dropout, generator=generator, rank=rank)
            for index in range(layers)
        )
        self.rank = rank

    def places(self, adapters: Sequence[Any]) -> Places:
        """The place where this fusion mixes adapters, each a sequence of one `Bottleneck` per layer."""
        layers: Any = self

        def mixed(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG001 - signature
            layer = layers[index]
            if isinstance(layer, Absent):
                return total
            changed: Tensor = layer(total, norm, [adapter[index] for adapter in adapters])
            return changed

        return Places(ffn=mixed)

    def add_penalty_gradients(self, scale: float) -> None:
        """Add the gradients of ``scale * PENALTY * sum |V - 1|^2`` over all layers, which keep ``V`` near the identity.

        Args:
            scale: by how much the loss of this step has been multiplied.
        """
        layers: Iterable[Any] = self
        with torch.no_grad():
            for layer in layers:
                if isinstance(layer, FusionLayer):
                    layer.add_penalty_gradients(2 * PENALTY * scale)


def _output_of(adapter: Any, total: Tensor, norm: Norm) -> Tensor:
    """What a bottleneck adds to a layer's sum."""
    if isinstance(adapter, Bottleneck) and adapter.own is not None:
        # Which settings a fusion takes is decided in the recipe: those that change the output and nothing else.
        return adapter.own(adapter.through, total, total, norm) - total
    if isinstance(adapter, Bottleneck):
        return adapter.through(norm(total), functional.relu)
    output: Tensor = adapter.mixed_in(total, norm)
    return output


def _sum_groups(values: Tensor, sizes: list[int]) -> Tensor:
    """Sums over consecutive groups of the last dimension, shape ``(..., groups)``."""
    if len(set(sizes)) == 1:
        return values.view(*values.shape[:-1], len(sizes), sizes[0]).sum(-1)
    return torch.stack([group.sum(-1) for group in torch.split(values, sizes, dim=-1)], dim=-1)


def _spread_groups(values: Tensor, sizes: list[int]) -> Tensor:
    """Each value repeated over its group, shape ``(..., sum of sizes)``."""
    if len(set(sizes)) == 1:
        return values.unsqueeze(-1).expand(*values.shape, sizes[0]).flatten(-2)
    return values.repeat_interleave(torch.tensor(sizes, device=values.device), dim=-1)
