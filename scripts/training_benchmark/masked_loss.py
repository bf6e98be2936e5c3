"""A Trainer whose loss of questions is ours: starts and ends compete inside the context, not with padding and question.

Used to show what the difference of the two losses does to scores; everything else is as the library has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.formats.base import Feature

ALLOWED = "allowed"


def add_allowed(rows: Sequence[dict[str, Any]], features: Sequence[Feature], fmt: Any, pad_id: int) -> None:
    """Give every row the tokens at which an answer may begin or end; the first token stands for no answer."""
    for row, feature in zip(rows, features, strict=True):
        row[ALLOWED] = fmt.collate([feature], pad_id=pad_id).fields["allowed"][0]
        row[ALLOWED][0] = True


class Padded:
    """A collator of the library that pads `ALLOWED` too.

    Args:
        plain: pads everything else.
    """

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Any:
        """One batch."""
        batch = self._plain([{name: value for name, value in row.items() if name != ALLOWED} for row in rows])
        allowed = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        for index, row in enumerate(rows):
            allowed[index, : len(row[ALLOWED])] = row[ALLOWED]
        batch[ALLOWED] = allowed
        return batch


def masked(kind: Any) -> Any:
    """A trainer class with our loss of questions."""

    class Masked(kind):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Tensor:
            possible = inputs.pop(ALLOWED)
            outputs = model(**inputs)
            start, end = (
                part.masked_fill(~possible, -torch.inf) for part in (outputs.start_logits, outputs.end_logits)
            )
            loss: Tensor = functional.cross_entropy(start, inputs["start_positions"])
            return (loss + functional.cross_entropy(end, inputs["end_positions"])) / 2

    return Masked
