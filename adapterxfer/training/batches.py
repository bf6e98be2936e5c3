"""Which features an optimiser step sees, and how they are cut into what fits into memory.

The effective batch is a fixed number of features. Lengths order features only inside a seeded window of batches, so
most padding is saved while every window is a random sample. A token budget splits an effective batch into
micro-batches; it changes no more than the order of additions, since the loop normalises by the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature

WINDOW_BATCHES = 50
"""Batches whose features are sorted by length together."""


def feature_batches(
    lengths: Sequence[int], *, batch_size: int, rng: np.random.Generator, window: int = WINDOW_BATCHES
) -> Iterator[NDArray[np.int64]]:
    """Endless batches of feature indices, each of ``batch_size``; pass after pass over the data.

    Args:
        lengths: tokens of each feature.
        batch_size: features per batch; passes join inside a batch where the data do not divide.
        rng: decides the order; equal states give equal batches.
        window: batches sorted together; 1 leaves the order purely random.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    capacity = batch_size * window
    waiting: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    # A window no longer than one pass keeps each feature once per pass and short data sets random.
    capacity = min(capacity, max(batch_size, len(sizes) // batch_size * batch_size))
    while True:
        while len(waiting) < capacity:
            waiting = np.concatenate([waiting, rng.permutation(len(sizes))])
        chosen, waiting = waiting[:capacity], waiting[capacity:]
        chosen = chosen[np.argsort(sizes[chosen], kind="stable")]
        batches = chosen.reshape(-1, batch_size)
        yield from batches[rng.permutation(len(batches))]


def task_weights(counts: Sequence[int], sampling: Mapping[str, Any] | None) -> NDArray[np.float64]:
    """Probability of each task of a `multi` training, shape ``(tasks,)``.

    Args:
        counts: training features of each task.
        sampling: ``{kind, temperature?, cap?}``: ``proportional`` to the counts (also for None), ``uniform``,
            ``temperature`` (counts to the power 1/temperature) or ``capped`` (counts up to a cap).

    Raises:
        StageError: the kind does not exist.
    """
    sizes = np.asarray(counts, dtype=np.float64)
    rule = {"kind": "proportional"} if sampling is None else dict(sampling)
    match rule.get("kind"):
        case "proportional":
            weights = sizes
        case "uniform":
            weights = np.ones_like(sizes)
        case "temperature":
            weights = sizes ** (1.0 / float(rule["temperature"]))
        case "capped":
            weights = np.minimum(sizes, float(rule["cap"]))
        case kind:
            raise StageError(
                f"sampling kind {kind!r}; expected proportional, uniform, temperature or capped",
                fix="correct 'multi: sampling' in the recipe",
            )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def task_choices(weights: NDArray[np.float64], rng: np.random.Generator) -> Iterator[int]:
    """Endless choices of a task: after any number of steps, no task is more than about two steps off its share.

    The task that lags its share most is chosen, with noise of half a step so that no order repeats. Independent
    draws would leave a task of 400 steps some 20 steps off, and small tasks without any.
    """
    taken = np.zeros(len(weights))
    for step in count(1):
        chosen = int((weights * step - taken + 0.5 * rng.random(len(weights))).argmax()) if len(weights) > 1 else 0
        taken[chosen] += 1
        yield chosen


def micro_batches(features: Sequence[Feature], *, token_budget: int) -> list[Sequence[Feature]]:
    """Split an effective batch so that no part has more than ``token_budget`` tokens with padding.

    Args:
        features: in any order; parts are contiguous once they are sorted by length.
        token_budget: rows times width; a single feature may exceed it.
    """
    width = max(feature.length for feature in features)
    if width * sum(feature.rows for feature in features) <= token_budget:
        return [features]
    parts: list[Sequence[Feature]] = []
    group: list[Feature] = []
    rows = 0
    for feature in sorted(features, key=lambda feature: feature.length):
        if group and (rows + feature.rows) * feature.length > token_budget:
            parts.append(group)
            group, rows = [], 0
        group.append(feature)
        rows += feature.rows
    parts.append(group)
    return parts
