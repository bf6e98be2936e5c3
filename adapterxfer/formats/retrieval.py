"""Find the English translation of a sentence among all translations: no training, embeddings only.

By default a sentence embedding is the mean of the hidden states of one layer over its own tokens (special tokens left
out), centred per language: without centring, the language itself dominates the similarity in small multilingual
encoders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.data.examples import Example, RetrievalExample
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial, Loss
from adapterxfer.formats.tokenization import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIMILARITY_DIGITS = 9
"""Cosines are compared after rounding to this many digits, so that equal sentences tie and the first one wins."""


def pair_sequences(
    examples: Sequence[RetrievalExample], encoding: Encoding, lengths: tuple[int, int] | None
) -> list[list[list[int]]]:
    """Token ids of both texts of each example, cut to their limits.

    Args:
        lengths: most tokens of a query and of what it searches, special tokens included; None for the model's limit.
    """
    encoder, longest = encoding.encoder, encoding.max_length
    texts = zip(
        encoder.texts([e.text for e in examples]), encoder.texts([e.translation for e in examples]), strict=True
    )
    limits = [min(longest, limit) for limit in lengths or (longest, longest)]
    return [[encoder.build_single(ids, limit) for ids, limit in zip(tokens, limits, strict=True)] for tokens in texts]


def by_feature(outputs: Tensor, batch: Batch) -> list[NDArray[np.float32]]:
    """Rows of a batch as one array per feature, each of shape ``(sequences, hidden)``."""
    return np.split(outputs.detach().float().cpu().numpy(), np.cumsum(batch.sizes)[:-1])


@dataclass(frozen=True, slots=True)
class Retrieval(Format):
    """Queries of each language search the English side of the same language's examples; cosine, nearest neighbour.

    Attributes:
        from_english: the English sentences search instead, as in XTREME.
        special_tokens: whether they count in the mean, as in XTREME.
        centred: subtract the mean of each side first.
        lengths: most tokens of a query and of what it searches, special tokens included; None for the model's limit.
    """

    from_english: bool = False
    special_tokens: bool = False
    centred: bool = True
    lengths: tuple[int, int] | None = None
    name: ClassVar[str] = "retrieval"
    trainable: ClassVar[bool] = False

    def features(self, examples: Sequence[RetrievalExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per example with two sequences, the sentence and its translation.

        The target holds the first and one-past-last position that count in the mean, per sequence.
        """
        for index, sequences in enumerate(pair_sequences(examples, encoding, self.lengths)):
            yield Feature(sequences, [self.bounds(encoding.encoder, ids) for ids in sequences], index)

    def bounds(self, encoder: Encoder, sequence: Sequence[int]) -> tuple[int, int]:
        """First and one-past-last position that count in the mean."""
        before, after = (0, 0) if self.special_tokens else map(len, encoder.single)
        return before, len(sequence) - after

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], None]:
        """Field ``content``: shape ``(rows, width)``, true at the text's own tokens."""
        bounds = np.array([bound for f in features for bound in f.target])
        columns = np.arange(shape[1])
        return {"content": torch.from_numpy((columns >= bounds[:, :1]) & (columns < bounds[:, 1:]))}, None

    def head(self, hidden_size: int, labels: int, initial: Initial) -> MeanPooling:
        """Mean pooling, without weights: ``(rows, hidden)``."""
        del hidden_size, labels, initial
        return MeanPooling()

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Always refused.

        Raises:
            VariantError: retrieval has no training.
        """
        del outputs, batch
        raise VariantError("retrieval has no loss", fix="evaluate retrieval targets with an intermediate model")

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """Embeddings of each feature's sequences, arrays of shape ``(sequences, hidden)``."""
        return by_feature(outputs, batch)

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[str]:
        """Ids of the examples whose translation is nearest; each language is a search of its own."""
        return decode_pairs(results, features, examples, from_english=self.from_english, centred=self.centred)


def decode_pairs(
    results: Sequence[Any],
    features: Sequence[Feature],
    examples: Sequence[Example],
    *,
    from_english: bool,
    centred: bool,
) -> list[str]:
    """Ids of the nearest examples of the same language.

    Args:
        results: embeddings of both sides of each feature, shape ``(2, hidden)``.
        from_english: the second side searches the first.
        centred: subtract the mean of each side first.
    """
    embeddings = np.empty((len(examples), 2, results[0].shape[1]), dtype=np.float64)
    for feature, rows in zip(features, results, strict=True):
        embeddings[feature.example] = rows
    members: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        members.setdefault(example.language, []).append(index)
    predictions = [""] * len(examples)
    for indices in members.values():
        first, second = embeddings[indices, 0], embeddings[indices, 1]
        sides = (second, first) if from_english else (first, second)
        nearest = nearest_neighbours(*sides, centred=centred)
        for index, winner in zip(indices, nearest.tolist(), strict=True):
            predictions[index] = examples[indices[winner]].example_id
    return predictions


class MeanPooling(nn.Module):
    """Mean of the hidden states over a text's own tokens; zero for a text without tokens."""

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Embeddings of shape ``(rows, hidden)``."""
        weights = batch.fields["content"].to(hidden_states.dtype)
        total = torch.einsum("rwh,rw->rh", hidden_states, weights)
        return total / weights.sum(dim=1, keepdim=True).clamp(min=1)


def nearest_neighbours(
    queries: NDArray[np.float64], candidates: NDArray[np.float64], *, centred: bool = True
) -> NDArray[np.int64]:
    """Index of the candidate with the highest cosine for each query; the lowest index among equals.

    Args:
        queries: shape ``(queries, hidden)``.
        candidates: shape ``(candidates, hidden)``.
        centred: subtract the mean of each side first.
    """
    sides = []
    for side in (queries, candidates):
        vectors = side - side.mean(axis=0, keepdims=True) if centred else side
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        sides.append(vectors / np.maximum(norms, 1e-12))
    best: NDArray[np.int64] = np.round(sides[0] @ sides[1].T, SIMILARITY_DIGITS).argmax(axis=1)
    return best
