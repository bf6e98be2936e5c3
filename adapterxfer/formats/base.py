"""What the five formats share: features, batches, and the protocol that training and prediction call.

One pass through a format:

    features = fmt.encode(examples, tokenizer, max_length=128, labels=labels, train=True)   # once per split
    batch = fmt.collate(features[:32], pad_id=pad_id)                                       # once per step
    outputs = head(hidden_states, batch)                                                    # fmt.make_head made it
    total, units = fmt.loss(outputs, batch)                                                 # divide by the whole batch
    results += fmt.results(outputs, batch)                                                  # one per feature
    predictions = fmt.decode(results, features, examples, labels)                           # one string per example
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.data.examples import Example, FormatName
from adapterxfer.errors import DataError
from adapterxfer.formats.reads import Reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD_INIT_STD = 0.02
"""Standard deviation of new head weights, `initializer_range` of XLM-R."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One model input made from one example (or from a window of it).

    Attributes:
        sequences: token ids with special tokens; one, or one per choice.
        target: what the format needs to compute loss and predictions.
        example: index into the examples that were encoded.
    """

    sequences: list[list[int]]
    target: Any
    example: int

    @property
    def length(self) -> int:
        """Tokens of the longest sequence, by which batches are bucketed."""
        return max(map(len, self.sequences))

    @property
    def rows(self) -> int:
        """Rows this feature fills in a batch."""
        return len(self.sequences)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded tensors of several features.

    Attributes:
        input_ids: shape ``(rows, width)``, int64.
        attention_mask: shape ``(rows, width)``, int64, 1 at real tokens.
        sizes: outputs that belong to each feature (words, choices, or 1), in order.
        fields: the format's own tensors.
        reads: what the head reads; None for everything.
    """

    input_ids: Tensor
    attention_mask: Tensor
    sizes: tuple[int, ...]
    fields: dict[str, Tensor] = field(default_factory=dict)
    reads: Reads | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved = {name: tensor.to(device) for name, tensor in self.fields.items()}
        reads = None if self.reads is None else self.reads.to(device)
        return Batch(self.input_ids.to(device), self.attention_mask.to(device), self.sizes, moved, reads)


class Loss(NamedTuple):
    """A loss summed over ``units`` (examples, words, windows), so micro-batches of one batch can be joined exactly."""

    total: Tensor
    units: int


class Format(Protocol):
    """Head, loss and decoding of one kind of task; see the module docstring for the order of calls."""

    @property
    def name(self) -> FormatName:
        """Name of the format."""

    @property
    def trainable(self) -> bool:
        """Whether the format has a head and a loss."""

    def encode(
        self, examples: Sequence[Example], tokenizer: Any, *, max_length: int, labels: Sequence[str], train: bool
    ) -> list[Feature]:
        """Turn examples into features, every example into at least one unless ``train`` allows dropping it."""

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Pad features to one batch of the width of the longest sequence."""

    def make_head(
        self, hidden_size: int, labels: Sequence[str], *, generator: torch.Generator, std: float = HEAD_INIT_STD
    ) -> nn.Module:
        """A fresh head, called as ``head(hidden_states, batch)`` with hidden states ``(rows, width, hidden)``."""

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Summed cross-entropy of head outputs."""

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """What decoding needs from head outputs, one small numpy value per feature."""

    def decode(
        self, results: Sequence[Any], features: Sequence[Feature], examples: Sequence[Example], labels: Sequence[str]
    ) -> list[str]:
        """One prediction per example; ``results`` in the order of ``features``."""


def whole_batch(fmt: Format) -> bool:
    """Whether the loss compares the examples of a batch with each other, so that a batch cannot be cut into parts."""
    return bool(getattr(fmt, "whole_batch", False))


def pad_sequences(features: Sequence[Feature], *, pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask of all sequences of ``features``, each of shape ``(rows, width)``."""
    sequences = [sequence for feature in features for sequence in feature.sequences]
    width = max(map(len, sequences))
    ids = np.full((len(sequences), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(sequences), width), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def new_linear(inputs: int, outputs: int, *, generator: torch.Generator, std: float) -> nn.Linear:
    """A linear layer with normal weights and zero bias, drawn from ``generator`` alone (never the global state)."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0.0, std, generator=generator)
        layer.bias.zero_()
    return layer


class SentenceHead(nn.Module):
    """Dense, tanh, output on the first token, as in the classification head of XLM-R.

    Args:
        hidden_size: width of the backbone.
        outputs: labels, or 1 where rows compete with each other.
        generator: source of the initial weights.
        std: standard deviation of the initial weights.
    """

    def __init__(self, hidden_size: int, outputs: int, *, generator: torch.Generator, std: float) -> None:
        super().__init__()
        self.dense = new_linear(hidden_size, hidden_size, generator=generator, std=std)
        self.out = new_linear(hidden_size, outputs, generator=generator, std=std)

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:  # noqa: ARG002 - all heads are called alike
        """Logits of shape ``(rows, outputs)``."""
        logits: Tensor = self.out(torch.tanh(self.dense(hidden_states[:, 0])))
        return logits


def label_ids(labels: Sequence[str]) -> dict[str, int]:
    """Label name -> index.

    Raises:
        DataError: fewer than two labels, or one is repeated.
    """
    ids = {label: index for index, label in enumerate(labels)}
    if len(ids) != len(labels) or len(ids) < 2:
        raise DataError(f"labels {list(labels)}: expected at least two different names", fix="repair the task's labels")
    return ids
