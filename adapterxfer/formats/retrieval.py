"""Find the English translation of a sentence among all translations: no training, embeddings only.

By default a sentence embedding is the mean of the hidden states of one layer over its own tokens (special tokens left
out), centred per language: without centring, the language itself dominates the similarity in small multilingual
encoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.data.examples import Example, RetrievalExample
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import HEAD_INIT_STD, Batch, Feature, Loss, pad_sequences
from adapterxfer.formats.tokenization import Encoder, encoder_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIMILARITY_DIGITS = 9
"""Cosines are compared after rounding to this many digits, so that equal sentences tie and the first one wins."""


def pair_sequences(
    encoder: Encoder, examples: Sequence[Example], lengths: tuple[int, int] | None, max_length: int
) -> list[list[list[int]]]:
    """Token ids of both texts of each example, cut to their limits.

    Args:
        lengths: most tokens of a query and of what it searches, special tokens included; None for ``max_length``.
    """
    pairs = cast("Sequence[RetrievalExample]", examples)
    texts = zip(encoder.texts([e.text for e in pairs]), encoder.texts([e.translation for e in pairs]), strict=True)
    limits = [min(max_length, limit) for limit in lengths or (max_length, max_length)]
    return [[encoder.build_single(ids, limit) for ids, limit in zip(tokens, limits, strict=True)] for tokens in texts]


def by_feature(outputs: Tensor, batch: Batch) -> list[NDArray[np.float32]]:
    """Rows of a batch as one array per feature, each of shape ``(sequences, hidden)``."""
    return np.split(outputs.detach().float().cpu().numpy(), np.cumsum(batch.sizes)[:-1])


@dataclass(frozen=True, slots=True)
class Retrieval:
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
    name: Literal["retrieval"] = "retrieval"
    trainable: bool = False

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: Any,
        *,
        max_length: int,
        labels: Sequence[str],  # noqa: ARG002
        train: bool,  # noqa: ARG002
    ) -> list[Feature]:
        """One feature per example with two sequences, the sentence and its translation.

        The target holds the first and one-past-last position that count in the mean, per sequence.
        """
        encoder = encoder_for(tokenizer)
        sides = pair_sequences(encoder, examples, self.lengths, max_length)
        return [
            Feature(sequences, [self.bounds(encoder, ids) for ids in sequences], index)
            for index, sequences in enumerate(sides)
        ]

    def bounds(self, encoder: Encoder, sequence: Sequence[int]) -> tuple[int, int]:
        """First and one-past-last position that count in the mean."""
        before, after = (0, 0) if self.special_tokens else map(len, encoder.single)
        return before, len(sequence) - after

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Field ``content``: shape ``(rows, width)``, true at the text's own tokens."""
        ids, mask = pad_sequences(features, pad_id=pad_id)
        bounds = np.array([bound for f in features for bound in f.target])
        columns = np.arange(ids.shape[1])
        content = (columns >= bounds[:, :1]) & (columns < bounds[:, 1:])
        fields = {"content": torch.from_numpy(content)}
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), tuple(f.rows for f in features), fields)

    def make_head(
        self, hidden_size: int, labels: Sequence[str], *, generator: torch.Generator, std: float = HEAD_INIT_STD
    ) -> nn.Module:
        """Mean pooling, without weights: ``(rows, hidden)``."""
        del hidden_size, labels, generator, std
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
        for index, found in zip(indices, nearest.tolist(), strict=True):
            predictions[index] = examples[indices[found]].example_id
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
