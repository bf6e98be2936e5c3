"""From features to predictions: sorted by length, cut into batches by tokens, decoded in the original order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.errors import DataError
from adapterxfer.formats.base import Feature, Format
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.memory import out_of_memory
from adapterxfer.formats.reads import Reads

Forward = Callable[[Tensor, Tensor, Reads | None], Tensor]
"""Token ids and attention mask, each ``(rows, width)``, to hidden states ``(rows, width, hidden)``, or those read."""

BATCH_TOKENS = 2048
"""Default padded tokens per batch; on CPU the activations of a small model then stay in the cache."""


def token_batches(features: Sequence[Feature], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of features in batches of at most ``batch_tokens`` padded tokens (at least one feature), longest first.

    Equal lengths keep their order, so the batches depend on nothing but the features.
    """
    order = sorted(range(len(features)), key=lambda i: -features[i].length)
    batch: list[int] = []
    rows = width = 0
    for index in order:
        feature = features[index]
        if batch and (rows + feature.rows) * width > batch_tokens:
            yield batch
            batch, rows = [], 0
        if not batch:
            width = feature.length
        batch.append(index)
        rows += feature.rows
    if batch:
        yield batch


def predict_encoded(
    forward: Forward,
    head: nn.Module,
    fmt: Format,
    encoded: Encoded,
    labels: Sequence[str],
    *,
    batch_tokens: int = BATCH_TOKENS,
    device: torch.device | str = "cpu",
) -> list[str]:
    """One prediction per example, in the order of ``encoded.examples``.

    Args:
        forward: the model up to the hidden states the head reads; in evaluation mode.
        head: called as ``head(hidden_states, batch)``.
        labels: of the task, in official order.
        batch_tokens: padded tokens per batch; changes speed, and results at most by rounding. A batch that does not fit
            into memory is halved.

    Raises:
        DataError: an output of the model is not a number; nothing is predicted then.
    """
    if fmt.name != "retrieval":
        results = _results(
            forward, head, fmt, encoded.features, encoded.pad_id, batch_tokens=batch_tokens, device=device
        )
        return fmt.decode(results, encoded.features, encoded.examples, labels)
    # Retrieval: the English side repeats in every language of a parallel test, so each different sequence runs once.
    unique: dict[tuple[int, ...], Feature] = {}
    for feature in encoded.features:
        for sequence, bounds in zip(feature.sequences, feature.target, strict=True):
            unique.setdefault(tuple(sequence), Feature([sequence], [bounds], len(unique)))
    rows = _results(forward, head, fmt, list(unique.values()), encoded.pad_id, batch_tokens=batch_tokens, device=device)
    results = [
        torch.cat([torch.from_numpy(rows[unique[tuple(sequence)].example]) for sequence in feature.sequences]).numpy()
        for feature in encoded.features
    ]
    return fmt.decode(results, encoded.features, encoded.examples, labels)


def _results(
    forward: Forward,
    head: nn.Module,
    fmt: Format,
    features: Sequence[Feature],
    pad_id: int,
    *,
    batch_tokens: int,
    device: torch.device | str,
) -> list[Any]:
    results: list[Any] = [None] * len(features)
    waiting = list(token_batches(features, batch_tokens))[::-1]
    with torch.inference_mode():
        while waiting:
            indices = waiting.pop()
            try:
                batch = fmt.collate([features[i] for i in indices], pad_id=pad_id).to(device)
                outputs = head(forward(batch.input_ids, batch.attention_mask, batch.reads), batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(indices) == 1:
                    raise
                outputs = None
            if outputs is None:  # outside of the handler, which keeps what has to go
                waiting += [indices[len(indices) // 2 :], indices[: len(indices) // 2]]
                continue
            if bool(torch.isnan(outputs).any()):
                raise DataError(
                    "the model's outputs are not numbers, so nothing can be predicted with it",
                    fix="look at the training's log: it diverged, or its weights are damaged",
                )
            for index, result in zip(indices, fmt.results(outputs, batch), strict=True):
                results[index] = result
    return results
