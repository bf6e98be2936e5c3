"""Hidden states of the layers below everything that acts or trains, computed once per example and kept.

Where adapters sit in the upper layers alone (or only a head trains), the layers below are the frozen backbone: without
dropout they give the same states for an example in every epoch, for every seed and for every variant. They run without
dropout here, which an ordinary training applies to them too, so ``cache_bottom`` is a setting of the stage.

States are computed in batches that follow from the examples alone, not from the order in which a training meets them:
the same stage gives the same bits, whatever the process has trained before. So they can also be kept on the disk
(`stored_states`), where other processes and later runs find them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Batch, Feature, pad_sequences
from adapterxfer.formats.inference import token_batches
from adapterxfer.training.stored_states import StoredStates, name_of
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

    def __init__(
        self,
        features: Sequence[Feature],
        row_bytes: int,
        limit: int,
        stored: Callable[[list[int]], StoredStates | None],
    ) -> None:
        self.features = features  # held, so that an id stays that of its feature
        self.index = {id(feature): number for number, feature in enumerate(features)}
        self.chunks = list(token_batches(features, CHUNK_TOKENS))
        self.chunk_of = {number: chunk for chunk, numbers in enumerate(self.chunks) for number in numbers}
        self.states: dict[int, list[Tensor]] = {}
        self.bytes, self.room = 0, 0
        for numbers in self.chunks:
            size = sum(map(self._tokens, numbers)) * row_bytes
            if self.bytes + size > limit:
                break
            self.bytes += size
            self.room += 1
        self.stored = stored([sum(map(self._tokens, numbers)) for numbers in self.chunks[: self.room]])

    def _tokens(self, number: int) -> int:
        return sum(len(sequence) for sequence in self.features[number].sequences)

    def read(self, chunk: int) -> bool:
        """Take the states of a batch from the disk, if they are there."""
        rows = self.stored.read(chunk) if self.stored is not None else None
        if rows is None:
            return False
        numbers = self.chunks[chunk]
        sequences = [sequence for number in numbers for sequence in self.features[number].sequences]
        parts = iter(rows.split([len(sequence) for sequence in sequences]))
        for number in numbers:
            self.states[number] = [next(parts) for _ in self.features[number].sequences]
        return True

    def write(self, chunk: int) -> None:
        """Put the states of a batch on the disk."""
        if self.stored is not None:
            self.stored.add(chunk, torch.cat([row for number in self.chunks[chunk] for row in self.states[number]]))


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
        folder: where states are kept on the disk; None for this process alone.

    Attributes:
        layer: number of layers whose output is kept.

    Raises:
        StageError: nothing lies below, or the states of an example are not the same each time.
    """

    def __init__(
        self, model: TransferModel, tasks: Sequence[TrainTask], *, dtype: str, limit: int = LIMIT,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
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
        self._model, self._dtype, self._limit, self._folder = model, dtype, limit, folder
        self._used: dict[int, _Kept] = {}

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
            kept = _kept[key] = _Kept(
                task.features, row_bytes, self._limit, lambda tokens: self._stored(task.features, tokens)
            )
            while len(_kept) > 1 and sum(states.bytes for states in _kept.values()) > self._limit:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        self._used[id(kept)] = kept
        return kept

    def save(self) -> None:
        """Let other processes see what was computed."""
        for kept in self._used.values():
            if kept.stored is not None:
                kept.stored.save()

    def _stored(self, features: Sequence[Feature], tokens: list[int]) -> StoredStates | None:
        """Where states of these features are on the disk; autocast and accelerators keep theirs in memory."""
        if self._folder is None or not tokens or self._dtype != "fp32" or self._model.device.type != "cpu":
            return None
        facts = {
            "backbone": self._model.loaded.fingerprint,
            "layer": self.layer,
            "chunk_tokens": CHUNK_TOKENS,
            "threads": torch.get_num_threads(),
        }
        return StoredStates(self._folder, name_of(features, facts), tokens, self._model.loaded.hidden_size)

    def _states(self, kept: _Kept, number: int, pad_id: int) -> list[Tensor]:
        if number not in kept.states:
            chunk = kept.chunk_of[number]
            if chunk >= kept.room:
                return self._computed([kept.features[number]], pad_id)[0]
            if kept.read(chunk):
                return kept.states[number]
            numbers = kept.chunks[chunk]
            computed = self._computed([kept.features[i] for i in numbers], pad_id)
            kept.states.update(zip(numbers, computed, strict=True))
            kept.write(chunk)
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
