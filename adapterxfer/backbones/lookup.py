"""A lookup of words that holds some rows of its matrix alone, and copies of encoders that have it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.backbones.quantized import shared_parts


class RowsOfWords(nn.Embedding):
    """Some rows of a word matrix, asked for by token id like the whole of it.

    Args:
        weight: the rows, shape ``(rows, width)``.
        ids: token id of each row, ascending.
        vocabulary: rows of the whole matrix.
        padding_id: token id whose row gets no gradient; None for none.
    """

    def __init__(self, weight: Tensor, ids: Tensor, *, vocabulary: int, padding_id: int | None) -> None:
        super().__init__(weight.shape[0], weight.shape[1], _weight=weight)
        self.slots: Tensor
        # An id without a row leads out of the matrix, so looking it up is an error and not a wrong vector.
        slots = torch.full((vocabulary,), len(ids), dtype=torch.int64)
        slots[ids] = torch.arange(len(ids))
        self.register_buffer("slots", slots, persistent=False)
        padded = padding_id is not None and int(slots[padding_id]) < len(ids)
        self.padding_idx = int(slots[padding_id]) if padded and padding_id is not None else None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """Vectors of token ids, shape ``(*ids, width)``."""
        return functional.embedding(self.slots[input], self.weight, self.padding_idx)


def with_lookup(model: Any, lookup: nn.Module) -> Any:
    """A copy of the modules of an encoder that shares all weights, with another lookup of words."""
    shared = shared_parts(model)
    # Wherever the old lookup hangs in the tree, and be it twice, the new one hangs in the copy. transformers 5 has
    # another module for every place of a tied matrix.
    weight = model.get_input_embeddings().weight
    lookups = [module for module in model.modules() if getattr(module, "weight", None) is weight]
    replaced = {id(module): lookup for module in lookups} | {id(model.config): model.config}
    return copy.deepcopy(model, {**shared, **replaced})


def matrix_names(model: Any) -> tuple[str, ...]:
    """Names in the state of an encoder that are its word matrix; several where it is tied, the first one first."""
    weight = model.get_input_embeddings().weight
    return tuple(name for name, tensor in model.named_parameters(remove_duplicate=False) if tensor is weight)
