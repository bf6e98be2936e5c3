"""A fully fine-tuned word matrix as it is stored: the rows that differ from the backbone's, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.rows import CHUNK, TokenIds

ROWS, IDS = "word_rows.weight", "word_rows.ids"
"""Names in a model file: changed rows, shape ``(rows, width)``, and their token ids, ascending."""

_AS_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of a number -> integers by whose bits two numbers are compared: 0.0 equals -0.0 otherwise."""


class StoredRows(NamedTuple):
    """How many rows a model file holds of a word matrix of what shape."""

    rows: int
    width: int


def as_stored(state: Mapping[str, Tensor], loaded: LoadedBackbone) -> dict[str, Tensor]:
    """The state of a fully fine-tuned model with the rows that differ from the backbone's in place of the matrix.

    Whole, as it is, where most of the matrix changed, or the backbone has no large one.

    Args:
        state: by the names of `TransferModel.own_state`; its word matrix has the rows that ``loaded`` carries.
        loaded: what the model is made from.
    """
    name, source = _matrix_in(state, loaded), loaded.source
    if source is None or not name:
        return dict(state)
    weight = state[name].detach().cpu()
    carried = np.arange(source.vocabulary) if loaded.ids is None else loaded.ids
    changed = np.concatenate([
        _differ(weight[start : start + CHUNK], source.read(carried[start : start + CHUNK]))
        for start in range(0, len(carried), CHUNK)
    ])  # fmt: skip
    if loaded.ids is None and changed.sum() * 2 > source.vocabulary:
        return dict(state)
    return {
        **{n: tensor for n, tensor in state.items() if n != name},
        ROWS: weight[torch.from_numpy(changed)],
        IDS: torch.from_numpy(carried[changed]),
    }


def as_carried(stored: Mapping[str, Tensor], loaded: LoadedBackbone) -> dict[str, Tensor]:
    """The tensors of a model file by the names of `TransferModel.own_state`, with the rows that ``loaded`` carries.

    Rows that the file does not hold are the backbone's. Files that hold the whole matrix give the rows asked for.
    """
    name = _matrix_in(stored, loaded)
    if IDS not in stored:
        if name and loaded.ids is not None:
            return {**stored, name: stored[name][torch.from_numpy(loaded.ids)]}
        return dict(stored)
    state = {n: tensor for n, tensor in stored.items() if n not in (ROWS, IDS)}
    if loaded.source is None:
        table: Any = loaded.model.get_input_embeddings()
        weight: Tensor = table.weight.detach().clone()
    else:
        weight = loaded.source.read(loaded.ids)
    ids = stored[IDS].numpy()
    if loaded.ids is None:
        weight[stored[IDS]] = stored[ROWS]
    else:
        slots = np.searchsorted(loaded.ids, ids)
        here = np.append(loaded.ids, -1)[slots] == ids
        weight[torch.from_numpy(slots[here])] = stored[ROWS][torch.from_numpy(here)]
    return {**state, _name(loaded): weight}


def stored_ids(path: Path, *, trains_backbone: bool) -> TokenIds | None:
    """Token ids whose rows a model file holds; None where it holds the whole word matrix.

    Args:
        path: the file.
        trains_backbone: whether it holds a backbone at all.
    """
    if not trains_backbone:
        return np.empty(0, dtype=np.int64)
    with safe_open(path, framework="pt") as file:
        if IDS not in file.keys():  # noqa: SIM118 - the file is no mapping
            return None
        ids: TokenIds = file.get_tensor(IDS).numpy().copy()
        return ids


def stored_rows(path: Path) -> StoredRows | None:
    """How much a model file holds of a word matrix; None where it holds it whole, or not at all."""
    with safe_open(path, framework="pt") as file:
        return StoredRows(*file.get_slice(ROWS).get_shape()) if ROWS in file.keys() else None  # noqa: SIM118


def _differ(some: Tensor, others: Tensor) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    bits = _AS_INTEGERS[some.element_size()]
    unequal: np.ndarray[tuple[int], np.dtype[np.bool_]] = some.view(bits).ne(others.view(bits)).any(dim=1).numpy()
    return unequal


def _matrix_in(state: Mapping[str, Tensor], loaded: LoadedBackbone) -> str:
    """Name of the word matrix of a large backbone in a state; empty where there is none."""
    return next((n for n in _names(loaded) if n in state), "")


def _name(loaded: LoadedBackbone) -> str:
    """Name under which a state has the word matrix."""
    return _names(loaded)[0]


def _names(loaded: LoadedBackbone) -> tuple[str, ...]:
    from adapterxfer.backbones.lookup import matrix_names

    names = matrix_names(loaded.model) if loaded.source is None else loaded.source.names
    return tuple(f"backbone.{name}" for name in names)
