"""Retrieval that is trained: one tower embeds queries and candidates; the rest of a batch are the wrong candidates.

The head is a dense layer with tanh on the first token (the pooler of BERT), so it is trained and stored beside a frozen
backbone; multilingual checkpoints bring no trained pooler of their own.

Source: google-research/xtreme third_party/run_retrieval_qa.py at commit 838c13b (normalised pooler output,
cross-entropy over the batch from queries to candidates). Differs from it in the scale of 100, which is trained here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example, RetrievalExample
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial, Loss, TextHead
from adapterxfer.formats.retrieval import by_feature, decode_pairs, pair_sequences

SCALE = 100.0
"""Start value of what cosines are multiplied with before the softmax."""


@dataclass(frozen=True, slots=True)
class DualEncoder(Format):
    """Queries and candidates by the same head, compared by cosine.

    Attributes:
        lengths: most tokens of a query and of a candidate, special tokens included; None for the model's limit.
    """

    lengths: tuple[int, int] | None = None
    name: ClassVar[str] = "retrieval"
    whole_batch: ClassVar[bool] = True

    def features(self, examples: Sequence[RetrievalExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per example with two sequences, the query and its candidate; the target says which is which."""
        for index, sequences in enumerate(pair_sequences(examples, encoding, self.lengths)):
            yield Feature(sequences, [True, False], index)

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], None]:
        """Field ``query``: shape ``(rows,)``, true at queries."""
        del shape
        return {"query": torch.tensor([query for feature in features for query in feature.target])}, None

    def head(self, hidden_size: int, labels: int, initial: Initial) -> PoolingHead:  # noqa: ARG002 - embeds only
        """Embeddings of shape ``(rows, hidden)``; those of queries are multiplied with the trained scale."""
        return PoolingHead(hidden_size, initial)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy of each query over all candidates of the batch, summed over queries."""
        queries = batch.fields["query"]
        logits = outputs[queries].float() @ outputs[~queries].float().T
        right = torch.arange(len(logits), device=logits.device)
        return Loss(functional.cross_entropy(logits, right, reduction="sum"), len(logits))

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
        """Ids of the examples whose candidate is nearest, each language by itself."""
        return decode_pairs(results, features, examples, from_english=False, centred=False)


class PoolingHead(TextHead):
    """Dense layer and tanh on one state per text, length 1, and the scale of queries."""

    def __init__(self, hidden_size: int, initial: Initial) -> None:
        super().__init__()
        self.dense = initial.linear(hidden_size, hidden_size)
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Embeddings of shape ``(rows, hidden)``."""
        pooled = functional.normalize(torch.tanh(self.dense(self.pooled(hidden_states, batch))), dim=-1)
        scales = torch.where(batch.fields["query"], self.log_scale.exp(), torch.ones_like(self.log_scale))
        embeddings: Tensor = pooled * scales.unsqueeze(-1).to(pooled.dtype)
        return embeddings
