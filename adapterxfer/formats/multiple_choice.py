"""One of any number of choices continues a context or answers a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from adapterxfer.data.examples import ChoiceExample, Example
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial, SentenceHead, by_example
from adapterxfer.formats.reads import Reads, first_tokens


@dataclass(frozen=True, slots=True)
class MultipleChoice(Format):
    """Every choice is read as ``context question | choice`` and gets one score; examples may differ in their number."""

    name: ClassVar[str] = "multiple_choice"

    def features(self, examples: Sequence[ChoiceExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per example with one sequence per choice; the target is the index of the right one."""
        encoder, limit = encoding.encoder, encoding.max_length
        first = encoder.texts([" ".join(text for text in (e.context, e.question) if text) for e in examples])
        second = iter(encoder.texts([choice for e in examples for choice in e.choices]))
        for index, (example, tokens) in enumerate(zip(examples, first, strict=True)):
            sequences = [encoder.build_pair(tokens, next(second), limit) for _ in example.choices]
            yield Feature(sequences, example.label, index)

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads]:
        """Fields ``target`` ``(features,)`` and ``choices`` ``(features, most choices)``, true at real choices."""
        sizes = self.sizes(features)
        choices = np.arange(max(sizes))[None, :] < np.asarray(sizes)[:, None]
        target = torch.tensor([f.target for f in features], dtype=torch.int64)
        return {"target": target, "choices": torch.from_numpy(choices)}, first_tokens(*shape)

    def head(self, hidden_size: int, labels: int, initial: Initial) -> SentenceHead:  # noqa: ARG002 - one score
        """Scores of shape ``(rows, 1)``; the same head serves any number of choices."""
        return SentenceHead(hidden_size, 1, initial)

    def logits(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Row scores as ``(features, most choices)``, minus infinity where an example has no such choice."""
        choices = batch.fields["choices"]
        scores = torch.full(choices.shape, -torch.inf, dtype=torch.float32, device=outputs.device)
        # Rows are ordered by feature, then choice: the order in which a row-major mask is filled.
        return scores.masked_scatter(choices, outputs.float().squeeze(-1))

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],  # noqa: ARG002 - choices have no names
    ) -> list[str]:
        """0-based indices of the chosen choices, as text."""
        return by_example(map(str, results), features, examples)
