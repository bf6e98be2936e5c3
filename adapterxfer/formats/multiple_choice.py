"""One of any number of choices continues a context or answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import ChoiceExample, Example
from adapterxfer.formats.base import HEAD_INIT_STD, Batch, Feature, Loss, SentenceHead, pad_sequences
from adapterxfer.formats.reads import first_tokens
from adapterxfer.formats.tokenization import encoder_for


@dataclass(frozen=True, slots=True)
class MultipleChoice:
    """Every choice is read as ``context question | choice`` and gets one score; examples may differ in their number."""

    name: Literal["multiple_choice"] = "multiple_choice"
    trainable: bool = True

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: Any,
        *,
        max_length: int,
        labels: Sequence[str],  # noqa: ARG002
        train: bool,  # noqa: ARG002
    ) -> list[Feature]:
        """One feature per example with one sequence per choice; the target is the index of the right one."""
        encoder = encoder_for(tokenizer)
        choices = cast("Sequence[ChoiceExample]", examples)
        first = encoder.texts([" ".join(part for part in (e.context, e.question) if part) for e in choices])
        second = iter(encoder.texts([choice for e in choices for choice in e.choices]))
        return [
            Feature([encoder.build_pair(tokens, next(second), max_length) for _ in e.choices], e.label, index)
            for index, (e, tokens) in enumerate(zip(choices, first, strict=True))
        ]

    def collate(self, features: Sequence[Feature], *, pad_id: int) -> Batch:
        """Fields ``target`` ``(features,)`` and ``choices`` ``(features, most choices)``, true at real choices."""
        ids, mask = pad_sequences(features, pad_id=pad_id)
        sizes = tuple(f.rows for f in features)
        choices = np.arange(max(sizes))[None, :] < np.asarray(sizes)[:, None]
        fields = {
            "target": torch.tensor([f.target for f in features], dtype=torch.int64),
            "choices": torch.from_numpy(choices),
        }
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), sizes, fields, first_tokens(*ids.shape))

    def make_head(
        self,
        hidden_size: int,
        labels: Sequence[str],  # noqa: ARG002
        *,
        generator: torch.Generator,
        std: float = HEAD_INIT_STD,
    ) -> nn.Module:
        """Scores of shape ``(rows, 1)``; the same head serves any number of choices."""
        return SentenceHead(hidden_size, 1, generator=generator, std=std)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy over the choices of each example, summed over examples."""
        total = functional.cross_entropy(_by_example(outputs, batch), batch.fields["target"], reduction="sum")
        return Loss(total, len(batch.sizes))

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """Index of the best choice of each example."""
        return _by_example(outputs, batch).argmax(dim=-1).tolist()

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[str]:
        """0-based indices of the chosen choices, as text."""
        predictions = [""] * len(examples)
        for feature, best in zip(features, results, strict=True):
            predictions[feature.example] = str(best)
        return predictions


def _by_example(outputs: Tensor, batch: Batch) -> Tensor:
    """Row scores as ``(features, most choices)``, minus infinity where an example has no such choice."""
    choices = batch.fields["choices"]
    scores = torch.full(choices.shape, -torch.inf, dtype=torch.float32, device=outputs.device)
    # Rows are ordered by feature, then choice: the order in which a row-major mask is filled.
    return scores.masked_scatter(choices, outputs.float().squeeze(-1))
