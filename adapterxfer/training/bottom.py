"""Hidden states of the layers below everything that acts or trains, computed once per example and kept.

Where adapters sit in the upper layers alone (or only a head trains), the layers below are the frozen backbone: without
dropout they give the same states for an example in every epoch, for every seed and for every variant. They run without
dropout here, which an ordinary training applies to them too, so ``cache_bottom`` is a setting of the stage.

States are computed in batches that follow from the examples alone, not from the order in which a training meets them:
the same stage gives the same bits, whatever the process has trained before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Batch, Feature, pad_sequences
from adapterxfer.formats.inference import token_batches
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.model import TransferModel

LIMIT = 2 * 2**30
"""Bytes kept of one task, and of all together; examples beyond it are computed again each time."""

STATE_BYTES = 4
"""Of one number, at most: norms that end a layer give fp32 also in an autocast forward pass."""

CHUNK_TOKENS = 2048
"""Padded tokens of a batch in which states are computed."""

FORMATS = ("sequence_classification", "tagging", "span_qa", "multiple_choice")
"""Formats whose rows are the sequences of the features, the same in every epoch."""


class _Kept:
    """States of one task's features, at one layer of one backbone."""

    def __init__(self, features: Sequence[Feature], row_bytes: int, limit: int) -> None:
        self.features = features  # held, so that an id stays that of its feature
        self.index = {id(feature): number for number, feature in enumerate(features)}
        self.chunks = list(token_batches(features, CHUNK_TOKENS))
        self.chunk_of = {number: chunk for chunk, numbers in enumerate(self.chunks) for number in numbers}
        self.states: dict[int, list[Tensor]] = {}
        self.bytes, self.room = 0, 0
        for numbers in self.chunks:
            size = sum(len(sequence) for number in numbers for sequence in features[number].sequences) * row_bytes
            if self.bytes + size > limit:
                break
            self.bytes += size
            self.room += 1


_kept: OrderedDict[tuple[str, str, int, str, int], _Kept] = OrderedDict()


def forget_bottoms() -> None:
    """Drop everything kept by this process."""
    _kept.clear()


class Bottom:
    """Computes what lies above from kept states of what lies below.

    Args:
        model: on its device.
        tasks: all that it is trained on.
        dtype: of the settings; states of an autocast forward pass are others.
        limit: bytes kept.

    Attributes:
        layer: number of layers whose output is kept.

    Raises:
        StageError: nothing lies below, or the states of an example are not the same each time.
    """

    def __init__(self, model: TransferModel, tasks: Sequence[TrainTask], *, dtype: str, limit: int = LIMIT) -> None:
        self.layer = frozen_layers(model)
        if self.layer == 0:
            raise StageError(
                f"cache_bottom: variant '{model.composition.variant}' acts or trains from the first layer on",
                fix="give the adapters 'layers: upper-half', or leave cache_bottom out",
            )
        if not model.loaded.architecture.own_encoder:
            raise StageError(
                f"cache_bottom: backbone '{model.loaded.name}' is a {model.loaded.config.model_type}, whose layers can "
                "only run all together",
                fix="leave cache_bottom out for this backbone",
            )
        for task in tasks:
            if task.format.name not in FORMATS:
                raise StageError(
                    f"cache_bottom: inputs of task '{task.name}' ({task.format.name}) are not the same in every epoch",
                    fix=f"use it for tasks of the formats {', '.join(FORMATS)}",
                )
        self._model, self._dtype, self._limit = model, dtype, limit

    def hidden(self, task: TrainTask, features: Sequence[Feature], batch: Batch) -> Tensor:
        """Last hidden states, shape ``(rows, width, hidden)``, for the collated ``features`` of a task."""
        kept = self._of(task)
        rows: list[Tensor] = []
        for feature in features:
            rows += self._states(kept, kept.index[id(feature)], task.pad_id)
        states = pad_sequence(rows, batch_first=True)
        return self._model.upper(states, batch.attention_mask, layer=self.layer, reads=batch.reads)

    def _of(self, task: TrainTask) -> _Kept:
        loaded = self._model.loaded
        key = (loaded.fingerprint, loaded.function, self.layer, self._dtype, id(task.features))
        kept = _kept.get(key)
        if kept is None or kept.features is not task.features:
            row_bytes = self._model.loaded.hidden_size * STATE_BYTES
            kept = _kept[key] = _Kept(task.features, row_bytes, self._limit)
            while len(_kept) > 1 and sum(states.bytes for states in _kept.values()) > self._limit:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return kept

    def _states(self, kept: _Kept, number: int, pad_id: int) -> list[Tensor]:
        if number not in kept.states:
            chunk = kept.chunk_of[number]
            if chunk >= kept.room:
                return self._computed([kept.features[number]], pad_id)[0]
            numbers = kept.chunks[chunk]
            computed = self._computed([kept.features[i] for i in numbers], pad_id)
            kept.states.update(zip(numbers, computed, strict=True))
        return kept.states[number]

    def _computed(self, features: Sequence[Feature], pad_id: int) -> list[list[Tensor]]:
        """States of each sequence of each feature, without padding; each a tensor of its own."""
        ids, mask = (torch.from_numpy(array).to(self._model.device) for array in pad_sequences(features, pad_id=pad_id))
        with torch.no_grad():
            states = encode(self._model.backbone, ids, mask, until=self.layer)
        row, hidden = 0, []
        for feature in features:
            hidden.append([states[row + i, : len(s)].clone() for i, s in enumerate(feature.sequences)])
            row += feature.rows
        return hidden


def frozen_layers(model: TransferModel) -> int:
    """Layers from the bottom in which nothing trains and no adapter acts."""
    composition = model.composition
    if composition.trains_backbone:
        return 0
    return composition.first_layer if composition.adapters else model.loaded.layers
