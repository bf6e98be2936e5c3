"""A text or a pair of texts with one label: natural language inference, paraphrase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example, PairExample
from adapterxfer.formats.base import HEAD_INIT_STD, Batch, Feature, Loss, SentenceHead, label_ids, pad_sequences
from adapterxfer.formats.reads import first_tokens
from adapterxfer.formats.tokenization import encoder_for


@dataclass(frozen=True, slots=True)
class SequenceClassification:
    """Labels from the first token; the longer text of a pair is cut first."""

    name: Literal["sequence_classification"] = "sequence_classification"
    trainable: bool = True

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: Any,
        *,
        max_length: int,
        labels: Sequence[str],
        train: bool,  # noqa: ARG002
    ) -> list[Feature]:
        """One feature per example; the target is the label's index."""
        encoder, ids = encoder_for(tokenizer), label_ids(labels)
        pairs = cast("Sequence[PairExample]", examples)
        first = encoder.texts([e.text for e in pairs])
        second = iter(encoder.texts([e.text_pair for e in pairs if e.text_pair is not None]))
        features = []
        for index, (example, tokens) in enumerate(zip(pairs, first, strict=True)):
            if example.text_pair is None:
                sequence = encoder.build_single(tokens, max_length)
            else:
                sequence = encoder.build_pair(tokens, next(second), max_length)
            features.append(Feature([sequence], ids[example.label], index))
        return features

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Field ``target``: label indices, shape ``(rows,)``."""
        ids, mask = pad_sequences(features, pad_id=pad_id)
        target = torch.tensor([f.target for f in features], dtype=torch.int64)
        sizes, reads = (1,) * len(features), first_tokens(*ids.shape)
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), sizes, {"target": target}, reads)

    def make_head(
        self, hidden_size: int, labels: Sequence[str], *, generator: torch.Generator, std: float = HEAD_INIT_STD
    ) -> nn.Module:
        """Logits of shape ``(rows, labels)``."""
        return SentenceHead(hidden_size, len(labels), generator=generator, std=std)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy summed over examples."""
        total = functional.cross_entropy(outputs.float(), batch.fields["target"], reduction="sum")
        return Loss(total, len(batch.sizes))

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:  # noqa: ARG002
        """Index of the best label of each feature."""
        return outputs.argmax(dim=-1).tolist()

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> list[str]:
        """Label names."""
        predictions = [""] * len(examples)
        for feature, best in zip(features, results, strict=True):
            predictions[feature.example] = labels[best]
        return predictions
