"""Adapters of several models above one frozen backbone, in one pass over the rows of all.

The backbone runs once over the rows of all models, one model after the other. Where an adapter acts, the rows part
again: the weights of all models are one batch of matrices, each multiplied with the positions of its own model. So a
step costs as many calls as that of one model, which is what counts for tiny backbones and small batches.

A position never meets one of another model: what is no number in one model stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.errors import VariantError
from adapterxfer.formats.reads import Reads
from adapterxfer.variants.bottleneck import Activation, Formula, Through
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.places import Norm, Places, Sum

WEIGHTS = ("down.weight", "down.bias", "up.weight", "up.bias")


@dataclass(frozen=True, slots=True)
class Cut:
    """How positions divide among models, one after the other.

    Attributes:
        counts: positions of each model.
        index: the position of each slot of ``(models, most)`` flattened, the first of its model where it has none left;
            None where all models have as many.
        back: the slot of each position; None where there is no index.
    """

    counts: tuple[int, ...]
    index: Tensor | None
    back: Tensor | None

    def split(self, states: Tensor) -> Tensor:
        """States ``(positions, hidden)`` as ``(models, most, hidden)``."""
        if self.index is not None:
            states = states.index_select(0, self.index)
        return states.view(len(self.counts), -1, states.shape[-1])

    def join(self, states: Tensor) -> Tensor:
        """The states of `split` back at their positions."""
        states = states.flatten(0, 1)
        return states if self.back is None else states.index_select(0, self.back)


def cut(counts: Sequence[int], device: torch.device | str = "cpu") -> Cut:
    """Positions divided into so many for each model."""
    most, first = max(counts), 0
    if min(counts) == most:
        return Cut(tuple(counts), None, None)
    index, back = [], []
    for model, count in enumerate(counts):
        # Filled up from the own model: what another one has there may be no number, and zero times that is none.
        index.append(torch.arange(most).where(torch.arange(most) < count, 0) + first)
        back.append(torch.arange(count) + model * most)
        first += count
    return Cut(tuple(counts), torch.cat(index).to(device), torch.cat(back).to(device))


def check_alike(models: Sequence[TransferModel]) -> None:
    """Refuse models that cannot run in one pass.

    Raises:
        VariantError: they differ, or have parts that are not made of bottlenecks.
    """
    first, described = models[0], models[0].composition
    if any(model.composition != described or model.loaded.model is not first.loaded.model for model in models):
        raise VariantError(
            "models that are to be trained together have other parts or backbones than the first one",
            fix="train them one by one: leave seeds_together out",
        )
    unfit = sorted({adapter.method for adapter in described.adapters if not METHODS[adapter.method].batched})
    unfit += [f"{adapter.method} with settings" for adapter in described.adapters if adapter.config]
    if unfit or described.fused or described.trains_backbone or described.language is not None:
        refused = f"adapter method '{unfit[0]}'" if unfit else f"variant '{described.variant}'"
        raise VariantError(
            f"{refused} cannot be trained for several seeds in one pass",
            fix=f"use {', '.join(names_of(lambda spec: spec.batched))} without language adapters, or leave "
            "seeds_together out",
        )


class Together:
    """Several models of one composition over one frozen backbone.

    Args:
        models: on one device and in one mode; they share the backbone.
        trained: stacked weights by name, each of shape ``(models, *shape)``; what is not there is frozen.

    Raises:
        VariantError: see `check_alike`.
    """

    def __init__(self, models: Sequence[TransferModel], trained: Mapping[str, Tensor]) -> None:
        check_alike(models)
        self._first, described = models[0], models[0].composition
        self._parts = [
            (_formulas(adapter.method), _stacked(models, f"adapters.{adapter.id}", trained))
            for adapter in described.adapters
        ]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, reads: Reads | None, *, rows: Cut, read: Cut | None
    ) -> Tensor:
        """Last hidden states of all models' rows, shape ``(rows, width, hidden)``; only the ``reads`` are sure.

        Args:
            rows: positions of each model in ``(rows, width)``.
            read: reads of each model, in the order of ``reads``.
        """
        return encode(
            self._first.backbone,
            input_ids,
            attention_mask,
            self._places(len(input_ids), rows, read),
            training=self._first.training,
            recompute=self._first.recompute and self._first.training,
            reads=reads,
        )

    def _places(self, count: int, rows: Cut, read: Cut | None) -> Places | None:
        def at(block: str) -> Sum | None:
            active = [(formulas[block], weights) for formulas, weights in self._parts if block in formulas]
            if not active:
                return None

            def run(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
                # The last layer may compute the reads alone, as one row.
                chosen = rows if len(total) == count else read
                assert chosen is not None, "one row of several models holds their reads"
                for formula, weights in active:
                    if index in weights:
                        through = _through(weights[index], formula.network, chosen)
                        total = formula.change(through, total, residual, norm)
                return total

            return run

        return Places(attention=at("attention"), ffn=at("ffn"), whole=True) if self._parts else None


def _stacked(models: Sequence[TransferModel], name: str, trained: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Weights of one adapter in every layer that has some, each of shape ``(models, *shape)``."""
    stacked: dict[int, dict[str, Tensor]] = {}
    modules: list[Any] = [model.get_submodule(name) for model in models]
    for index in range(len(modules[0])):
        for key, tensor in modules[0][index].named_parameters():
            full = f"{name}.{index}.{key}"
            if (whole := trained.get(full)) is None:
                assert not tensor.requires_grad, full
                whole = torch.stack([module[index].get_parameter(key).detach() for module in modules])
            stacked.setdefault(index, {})[key] = whole
    return stacked


def _formulas(method: str) -> Mapping[str, Formula]:
    """Place -> what the method does there."""
    formulas: Mapping[str, Formula] = METHODS[method].kind.formulas
    return formulas


def _through(weights: Mapping[str, Tensor], network: str, cut: Cut) -> Through:
    """The network of every model, each with the positions of its own model."""
    down, down_bias, up, up_bias = (weights[f"{network}.{name}".lstrip(".")] for name in WEIGHTS)

    def through(states: Tensor, activation: Activation) -> Tensor:
        inner = cut.split(states.flatten(0, -2))
        inner = activation(torch.baddbmm(down_bias.unsqueeze(1), inner, down.transpose(1, 2)))
        inner = torch.baddbmm(up_bias.unsqueeze(1), inner, up.transpose(1, 2))
        return cut.join(inner).view(states.shape)

    return through
