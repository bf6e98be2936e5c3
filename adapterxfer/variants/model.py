"""A transfer model: one backbone, the adapters around it, perhaps a fusion of them, and one head per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import untied_state
from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import TextHead
from adapterxfer.formats.reads import Reads
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.composition import LANGUAGE_ID, Composition
from adapterxfer.variants.encoder import Begin, encode
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.hooked import hooked_copy
from adapterxfer.variants.places import Places, below, places_of


class TransferModel(nn.Module):
    """Backbone, adapters, fusion and heads as one module with the freeze rule of its variant applied.

    The backbone module is shared with other models of the process unless the variant trains it; nothing here changes
    it. Parameters that do not train carry no gradient, so the backward pass ends at the lowest part that trains.

    Args:
        loaded: the backbone; loaded with ``own_weights=True`` where the variant trains it.
        composition: which parts there are.
        adapters: by id, exactly those of the composition.
        fusion: present exactly if the composition fuses.
        heads: by id, exactly those of the composition; each is called as ``head(hidden_states, batch)``.

    Attributes:
        recompute: in training, compute activations inside layers again in the backward pass (gradient checkpointing).

    Raises:
        VariantError: the parts do not agree with the composition.
    """

    def __init__(
        self,
        loaded: LoadedBackbone,
        composition: Composition,
        *,
        adapters: Mapping[str, Adapter],
        fusion: Fusion | None,
        heads: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        ids = [adapter.id for adapter in composition.adapters]
        head_ids = [head.id for head in composition.heads]
        if list(adapters) != ids or list(heads) != head_ids or (fusion is not None) != composition.fused:
            raise VariantError(
                f"variant '{composition.variant}': got adapters {list(adapters)}, heads {list(heads)}, "
                f"{'a' if fusion is not None else 'no'} fusion; expected adapters {ids}, heads {head_ids}",
                fix="build the parts from the composition",
            )
        unfit = sorted({adapter.method for adapter in composition.task_adapters if not METHODS[adapter.method].fuses})
        if composition.fused and unfit:
            raise VariantError(
                f"AdapterFusion is not defined for adapter method '{unfit[0]}'",
                fix=f"use {' or '.join(names_of(lambda spec: spec.fuses))}",
            )
        for adapter in composition.adapters:
            if len(adapters[adapter.id]) != loaded.layers:
                raise VariantError(
                    f"adapter '{adapter.name}' has {len(adapters[adapter.id])} layers, backbone '{loaded.name}' has "
                    f"{loaded.layers}",
                    fix="use an adapter trained on this backbone",
                )
        for adapter in composition.adapters:
            if because := next(filter(None, map(loaded.architecture.lacks, METHODS[adapter.method].places)), ""):
                raise VariantError(
                    f"adapter method '{adapter.method}' cannot act in backbone '{loaded.name}', a "
                    f"{loaded.config.model_type}: {because}",
                    fix="use a bottleneck method",
                )
        self.loaded = loaded
        self.composition = composition
        self.backbone: Any = (
            loaded.model if loaded.architecture.own_encoder else hooked_copy(loaded.model, loaded.architecture)
        )
        self.adapters = nn.ModuleDict(adapters)
        self.fusion = fusion
        self.heads = nn.ModuleDict(heads)
        for head in heads.values():
            if isinstance(head, TextHead):
                head.pooling = loaded.pooling
        self._left_out: frozenset[str] = frozenset()
        self.recompute = False
        self.freeze()

    def freeze(self) -> None:
        """Let exactly the parameters train that the composition names."""
        prefixes = self.composition.trainable_prefixes
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(prefixes))

    def train(self, mode: bool = True) -> TransferModel:
        """Switch dropout; the shared backbone module keeps its mode, the encoder applies its dropout."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, reads: Reads | None = None) -> Tensor:
        """Last hidden states, shape ``(batch, seq, hidden)``, for token ids and mask of shape ``(batch, seq)``.

        With ``reads``, only those are sure to be there; see `encoder.encode`.
        """
        return encode(
            self.backbone,
            input_ids,
            attention_mask,
            self._adapt(),
            training=self.training,
            recompute=self.recompute and self.training,
            reads=reads,
        )

    def hidden_states(self, input_ids: Tensor, attention_mask: Tensor | None = None, *, layer: int) -> Tensor:
        """Hidden states after ``layer`` layers, adapters included; 0 is the embeddings. Higher layers do not run.

        Raises:
            VariantError: the backbone has no such layer.
        """
        if not 0 <= layer <= self.loaded.layers:
            raise VariantError(
                f"layer {layer} of backbone '{self.loaded.name}'; it has 0 (embeddings) to {self.loaded.layers}",
                fix="choose another layer",
            )
        places = self._adapt()
        return encode(self.backbone, input_ids, attention_mask, places, until=layer, training=self.training)

    def upper(
        self, states: Tensor, attention_mask: Tensor | None = None, *, layer: int, reads: Reads | None = None
    ) -> Tensor:
        """Last hidden states from those after ``layer`` layers, both ``(batch, seq, hidden)``; not if hooked."""
        return encode(
            self.backbone,
            states,
            attention_mask,
            self._adapt(),
            training=self.training,
            recompute=self.recompute and self.training,
            begin=Begin(layer, states),
            reads=reads,
        )

    def head(self, task: str) -> nn.Module:
        """The head of a task, to be called as ``head(hidden_states, batch)``."""
        return self.heads[self.composition.head(task).id]

    def speak(self, adapter: Adapter) -> None:
        """Put another language's adapter in the place of the one the model was trained with.

        Raises:
            VariantError: the model has no language adapter, or one of another method or size.
        """
        language = self.composition.language
        present: Any = self.adapters[LANGUAGE_ID] if language is not None else None
        if language is None or present.shape != adapter.shape:
            raise VariantError(
                f"language adapter {adapter.shape} for a model with {'none' if language is None else present.shape}",
                fix="train all language adapters of a study with one method and size",
            )
        self.adapters[LANGUAGE_ID] = adapter.requires_grad_(False).to(self.device).eval()

    def drop_head(self, task: str) -> None:
        """Remove a head that served the training only; the model is described and stored without it."""
        head = self.composition.head(task)
        self.composition = replace(self.composition, heads=tuple(h for h in self.composition.heads if h is not head))
        del self.heads[head.id]

    def trainable(self) -> dict[str, nn.Parameter]:
        """Parameters that train, by name.

        Those of a backbone come in the order of their names: its modules are in whatever order its library makes them,
        and the norm of all gradients is rounded by the order in which they are summed.
        """
        named = {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}
        return dict(sorted(named.items())) if self.composition.trains_backbone else named

    @property
    def trained_words(self) -> nn.Parameter | None:
        """The word matrix, or the rows of it that are carried, where it trains."""
        if not self.composition.trains_backbone:
            return None
        weight: nn.Parameter = self.backbone.get_input_embeddings().weight
        return weight

    def own_state(self) -> dict[str, Tensor]:
        """Everything beside the backbone, and the backbone too where the variant trains it; what a model file holds.

        A tied table, which the state of the library names twice, is there once.
        """
        keep = self.composition.trains_backbone
        return {n: t for n, t in untied_state(self).items() if keep or not n.startswith("backbone.")}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @contextmanager
    def without(self, *ids: str) -> Iterator[None]:
        """Run as if these adapters were not there (a fusion mixes the others)."""
        before = self._left_out
        self._left_out = before | frozenset(ids)
        try:
            yield
        finally:
            self._left_out = before

    def _adapt(self) -> Places | None:
        parts = self.composition.adapters
        active: list[Any] = [self.adapters[p.id] for p in parts if p.id not in self._left_out]
        if self.fusion is None:
            return places_of(active)
        lowest = self.composition.language
        lower = active[: 1 if lowest is not None and lowest.id not in self._left_out else 0]
        upper = active[len(lower) :]
        return below(places_of(lower), self.fusion.places(upper) if upper else None)

    @property
    def maps_embeddings(self) -> bool:
        """Whether an adapter maps the embeddings, so that an output matrix tied to them needs the map's inverse."""
        return any("embedding" in _places(self.adapters[p.id]) for p in self.composition.adapters)  # type: ignore[arg-type]

    def invert_embedding(self, states: Tensor) -> Tensor:
        """Take back what the adapters in use make of embeddings, shape ``(..., hidden)``; the last map goes first."""
        for described in reversed(self.composition.adapters):
            adapter: Any = self.adapters[described.id]
            if described.id not in self._left_out and "embedding" in _places(adapter):
                states = adapter[0].invert(states)
        return states


def _places(adapter: Adapter) -> tuple[str, ...]:
    first: Any = adapter[0]
    places: tuple[str, ...] = first.places
    return places
