"""A text or a pair of texts with one label: natural language inference, paraphrase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from adapterxfer.data.examples import Example, PairExample
from adapterxfer.formats.base import Encoding, Feature, Format, Initial, SentenceHead, by_example, label_ids
from adapterxfer.formats.reads import Reads, first_tokens


@dataclass(frozen=True, slots=True)
class SequenceClassification(Format):
    """Labels from the first token; the longer text of a pair is cut first."""

    name: ClassVar[str] = "sequence_classification"

    def features(self, examples: Sequence[PairExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per example; the target is the label's index."""
        encoder, ids = encoding.encoder, label_ids(encoding.labels)
        first = encoder.texts([e.text for e in examples])
        second = iter(encoder.texts([e.text_pair for e in examples if e.text_pair is not None]))
        for index, (example, tokens) in enumerate(zip(examples, first, strict=True)):
            if example.text_pair is None:
                sequence = encoder.build_single(tokens, encoding.max_length)
            else:
                sequence = encoder.build_pair(tokens, next(second), encoding.max_length)
            yield Feature([sequence], ids[example.label], index)

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads]:
        """Field ``target``: label indices, shape ``(rows,)``."""
        return {"target": torch.tensor([f.target for f in features], dtype=torch.int64)}, first_tokens(*shape)

    def head(self, hidden_size: int, labels: int, initial: Initial) -> SentenceHead:
        """Logits of shape ``(rows, labels)``."""
        return SentenceHead(hidden_size, labels, initial)

    def decode(
        self, results: Sequence[Any], features: Sequence[Feature], examples: Sequence[Example], labels: Sequence[str]
    ) -> list[str]:
        """Label names."""
        return by_example((labels[best] for best in results), features, examples)
