"""What all formats share: features, batches, and the class whose methods training and prediction call.

One pass through a format:

    features = fmt.encode(examples, tokenizer, max_length=128, labels=labels, train=True)   # once per split
    batch = fmt.collate(features[:32], pad_id=pad_id)                                       # once per step
    outputs = head(hidden_states, batch)                                                    # fmt.make_head made it
    total, units = fmt.loss(outputs, batch)                                                 # divide by the whole batch
    results += fmt.results(outputs, batch)                                                  # one per feature
    predictions = fmt.decode(results, features, examples, labels)                           # one string per example
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example
from adapterxfer.errors import DataError
from adapterxfer.formats.linear import EmptyLinear
from adapterxfer.formats.reads import Reads
from adapterxfer.formats.tokenization import Encoder, encoder_for

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


class Encoding(NamedTuple):
    """How texts become tokens.

    Attributes:
        encoder: tokenizer and special tokens.
        max_length: tokens of the longest sequence, special tokens included.
        labels: names of the task's labels, in order; empty where the format has none.
        train: whether the features are for training: gold answers are looked up.
    """

    encoder: Encoder
    max_length: int
    labels: Sequence[str]
    train: bool


class Initial(NamedTuple):
    """Where the start weights of a head come from: a generator of their own and a standard deviation."""

    generator: torch.Generator
    std: float

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        """A linear layer with normal weights and zero bias, drawn from the generator alone (never the global state)."""
        layer = EmptyLinear(inputs, outputs)
        with torch.no_grad():
            layer.weight.normal_(0.0, self.std, generator=self.generator)
            layer.bias.zero_()
        return layer


class Format(ABC):
    """Head, loss and decoding of one kind of task; see the module docstring for the order of calls.

    A format says what its features are, which tensors its loss needs, which head it has and how a result reads as text.
    The loss is a cross-entropy of ``logits`` and the field ``target``, a result the index of the highest logit, unless
    the format says otherwise.

    Attributes:
        name: of the format.
        trainable: whether it has a head with weights and a loss.
        whole_batch: whether the loss compares the examples of a batch with each other, so that no batch may be cut.
    """

    __slots__ = ()
    name: ClassVar[str]
    trainable: ClassVar[bool] = True
    whole_batch: ClassVar[bool] = False

    def encode(
        self, examples: Sequence[Example], tokenizer: Any, *, max_length: int, labels: Sequence[str], train: bool
    ) -> list[Feature]:
        """Turn examples into features: at least one each, except for sentences of which no word has a token.

        Args:
            tokenizer: see `encoder_for`.
            max_length: tokens of the longest sequence, special tokens included.
            labels: names of the task's labels; predictions point into them.
            train: whether the features are for training (span answers are looked up for training alone).
        """
        return list(self.features(examples, Encoding(encoder_for(tokenizer), max_length, labels, train)))

    @abstractmethod
    def features(self, examples: Sequence[Any], encoding: Encoding) -> Iterable[Feature]:
        """The features of all examples, in their order."""

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Pad features to one batch of the width of the longest sequence."""
        ids, mask = pad_sequences(features, pad_id=pad_id)
        fields, reads = self.fields(features, ids.shape)
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), self.sizes(features), fields, reads)

    @abstractmethod
    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads | None]:
        """The format's own tensors of a batch, and what its head reads.

        Args:
            shape: ``(rows, width)`` of the padded batch.
        """

    def sizes(self, features: Sequence[Feature]) -> tuple[int, ...]:
        """Outputs that belong to each feature: one per row."""
        return tuple(feature.rows for feature in features)

    def make_head(
        self, hidden_size: int, labels: Sequence[str], *, generator: torch.Generator, std: float = HEAD_INIT_STD
    ) -> nn.Module:
        """A fresh head, called as ``head(hidden_states, batch)`` with hidden states ``(rows, width, hidden)``."""
        return self.head(hidden_size, len(labels), Initial(generator, std))

    @abstractmethod
    def head(self, hidden_size: int, labels: int, initial: Initial) -> nn.Module:
        """A fresh head for this number of labels."""

    def logits(self, outputs: Tensor, batch: Batch) -> Tensor:  # noqa: ARG002 - some need the batch
        """What the loss compares with ``target`` and of which the highest wins: float32, ``(targets, classes)``."""
        return outputs.float()

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy summed over the targets (examples, words, or hidden tokens)."""
        target = batch.fields["target"]
        return Loss(functional.cross_entropy(self.logits(outputs, batch), target, reduction="sum"), len(target))

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """What decoding needs from head outputs, one small value per feature: the index of the highest logit."""
        return self.logits(outputs, batch).argmax(dim=-1).tolist()

    @abstractmethod
    def decode(
        self, results: Sequence[Any], features: Sequence[Feature], examples: Sequence[Example], labels: Sequence[str]
    ) -> list[str]:
        """One prediction per example; ``results`` in the order of ``features``."""


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


class TextHead(nn.Module):
    """A head that reads one state per text.

    Attributes:
        pooling: which: ``first``, ``last`` or ``mean``; the model sets that of its backbone (`LoadedBackbone.pooling`).
    """

    pooling = "first"

    def pooled(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """The state of each text, shape ``(rows, hidden)``.

        Padding may stand on either side: the last token is the rightmost that is none.
        """
        if self.pooling == "first":
            return hidden_states[:, 0]
        mask = batch.attention_mask
        if self.pooling == "last":
            last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
            return hidden_states[torch.arange(len(mask), device=mask.device), last]
        weights = mask.to(hidden_states.dtype)
        total = torch.einsum("rwh,rw->rh", hidden_states, weights)
        return total / weights.sum(dim=1, keepdim=True).clamp(min=1)


class SentenceHead(TextHead):
    """Dense, tanh, output on one state per text, as in the classification head of XLM-R.

    Args:
        hidden_size: width of the backbone.
        outputs: labels, or 1 where rows compete with each other.
        initial: source of the start weights.
    """

    def __init__(self, hidden_size: int, outputs: int, initial: Initial) -> None:
        super().__init__()
        self.dense = initial.linear(hidden_size, hidden_size)
        self.out = initial.linear(hidden_size, outputs)

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Logits of shape ``(rows, outputs)``."""
        logits: Tensor = self.out(torch.tanh(self.dense(self.pooled(hidden_states, batch))))
        return logits


def by_example(texts: Iterable[str], features: Sequence[Feature], examples: Sequence[Example]) -> list[str]:
    """The text of each feature at the place of its example."""
    predictions = [""] * len(examples)
    for feature, text in zip(features, texts, strict=True):
        predictions[feature.example] = text
    return predictions


def label_ids(labels: Sequence[str]) -> dict[str, int]:
    """Label name -> index.

    Raises:
        DataError: fewer than two labels, or one is repeated.
    """
    ids = {label: index for index, label in enumerate(labels)}
    if len(ids) != len(labels) or len(ids) < 2:
        raise DataError(f"labels {list(labels)}: expected at least two different names", fix="repair the task's labels")
    return ids
