"""Retrieval that is trained: one tower embeds queries and candidates; the rest of a batch are the wrong candidates.

The head is a dense layer with tanh on the first token (the pooler of BERT), so it is trained and stored beside a frozen
backbone; multilingual checkpoints bring no trained pooler of their own.

Source: google-research/xtreme third_party/run_retrieval_qa.py at commit 838c13b (normalised pooler output,
cross-entropy over the batch from queries to candidates). Differs from it in the scale of 100, which is trained here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example
from adapterxfer.formats.base import HEAD_INIT_STD, Batch, Feature, Loss, new_linear, pad_sequences
from adapterxfer.formats.retrieval import by_feature, decode_pairs, pair_sequences
from adapterxfer.formats.tokenization import encoder_for

SCALE = 100.0
"""Start value of what cosines are multiplied with before the softmax."""


@dataclass(frozen=True, slots=True)
class DualEncoder:
    """Queries and candidates by the same head, compared by cosine.

    Attributes:
        lengths: most tokens of a query and of a candidate, special tokens included; None for the model's limit.
        whole_batch: the loss of an example depends on the others of its batch.
    """

    lengths: tuple[int, int] | None = None
    name: Literal["retrieval"] = "retrieval"
    trainable: bool = True
    whole_batch: bool = True

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: Any,
        *,
        max_length: int,
        labels: Sequence[str],  # noqa: ARG002
        train: bool,  # noqa: ARG002
    ) -> list[Feature]:
        """One feature per example with two sequences, the query and its candidate; the target says which is which."""
        sides = pair_sequences(encoder_for(tokenizer), examples, self.lengths, max_length)
        return [Feature(sequences, [True, False], index) for index, sequences in enumerate(sides)]

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Field ``query``: shape ``(rows,)``, true at queries."""
        ids, mask = pad_sequences(features, pad_id=pad_id)
        fields = {"query": torch.tensor([query for feature in features for query in feature.target])}
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), tuple(f.rows for f in features), fields)

    def make_head(
        self,
        hidden_size: int,
        labels: Sequence[str],  # noqa: ARG002
        *,
        generator: torch.Generator,
        std: float = HEAD_INIT_STD,
    ) -> nn.Module:
        """Embeddings of shape ``(rows, hidden)``; those of queries are multiplied with the trained scale."""
        return PoolingHead(hidden_size, generator=generator, std=std)

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


class PoolingHead(nn.Module):
    """Dense layer and tanh on the first token, length 1, and the scale of queries."""

    def __init__(self, hidden_size: int, *, generator: torch.Generator, std: float) -> None:
        super().__init__()
        self.dense = new_linear(hidden_size, hidden_size, generator=generator, std=std)
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Embeddings of shape ``(rows, hidden)``."""
        pooled = functional.normalize(torch.tanh(self.dense(hidden_states[:, 0])), dim=-1)
        scales = torch.where(batch.fields["query"], self.log_scale.exp(), torch.ones_like(self.log_scale))
        embeddings: Tensor = pooled * scales.unsqueeze(-1).to(pooled.dtype)
        return embeddings
