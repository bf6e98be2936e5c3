"""Order, length windows, task choice and micro-batches."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature
from adapterxfer.training.batches import feature_batches, micro_batches, task_choices, task_weights
from adapterxfer.training.seeds import derive_seed, numpy_generator, torch_generator


def first(lengths: list[int], count: int, *, batch_size: int = 4, seed: int = 0, window: int = 50) -> list[list[int]]:
    stream = feature_batches(lengths, batch_size=batch_size, rng=np.random.default_rng(seed), window=window)
    return [batch.tolist() for batch in islice(stream, count)]


@pytest.mark.parametrize("size", [3, 4, 10, 41])
def test_features_are_seen_equally_often(size: int) -> None:
    batches = first([1] * size, 4 * size)
    assert all(len(batch) == 4 for batch in batches)
    seen = Counter(index for batch in batches for index in batch)
    # Windows join passes, so the cut at the end may fall inside two of them.
    assert len(seen) == size
    assert max(seen.values()) - min(seen.values()) <= 2


def test_order_follows_the_seed_alone() -> None:
    lengths = [3, 9, 4, 4, 7, 1, 8, 2, 5, 6]
    assert first(lengths, 6, seed=1) == first(lengths, 6, seed=1)
    assert first(lengths, 6, seed=1) != first(lengths, 6, seed=2)


def test_lengths_are_sorted_inside_a_window_only() -> None:
    rng = np.random.default_rng(5)
    lengths = rng.integers(5, 120, size=4000).tolist()

    def padding(window: int) -> float:
        batches = first(lengths, 100, batch_size=16, window=window)
        return sum(16 * max(lengths[i] for i in b) for b in batches) / sum(lengths[i] for b in batches for i in b)

    assert padding(50) < 1.1 < 1.5 < padding(1)
    # A window is a random sample and its batches come in random order: no curriculum from short to long.
    means = [np.mean([lengths[i] for i in batch]) for batch in first(lengths, 50, batch_size=16)]
    assert abs(np.corrcoef(means, range(50))[0, 1]) < 0.4


def test_task_weights() -> None:
    counts = [100, 300]
    assert task_weights(counts, None).tolist() == [0.25, 0.75]
    assert task_weights(counts, {"kind": "proportional"}).tolist() == [0.25, 0.75]
    assert task_weights(counts, {"kind": "uniform"}).tolist() == [0.5, 0.5]
    assert task_weights(counts, {"kind": "capped", "cap": 100}).tolist() == [0.5, 0.5]
    assert task_weights([100, 400], {"kind": "temperature", "temperature": 2}) == pytest.approx([1 / 3, 2 / 3])
    with pytest.raises(StageError, match="sampling kind 'mixed'"):
        task_weights(counts, {"kind": "mixed"})
    declared = np.array([0.01, 0.24, 0.75])
    chosen = np.array(list(islice(task_choices(declared, np.random.default_rng(0)), 2000)))
    taken = np.cumsum(np.eye(3)[chosen], axis=0)
    steps = np.arange(1, 2001)[:, None]
    assert np.abs(taken - declared * steps).max() < 2
    assert np.abs(taken / steps - declared)[300:].max() < 0.01
    assert list(islice(task_choices(np.array([1.0]), np.random.default_rng(0)), 3)) == [0, 0, 0]


def test_micro_batches_respect_the_budget_and_lose_nothing() -> None:
    rng = np.random.default_rng(1)
    features = [Feature([[1] * int(n)] * int(rows), None, i) for i, (n, rows) in enumerate(rng.integers(1, 9, (40, 2)))]
    assert micro_batches(features, token_budget=10_000) == [features]
    parts = micro_batches(features, token_budget=50)
    assert len(parts) > 1
    assert sorted(f.example for part in parts for f in part) == list(range(40))
    for part in parts:
        cost = max(f.length for f in part) * sum(f.rows for f in part)
        assert cost <= 50 or len(part) == 1


def test_seeds_depend_on_purpose_only() -> None:
    assert derive_seed(1, "adapter") == derive_seed(1, "adapter") != derive_seed(1, "fusion")
    assert derive_seed(1, "head", "a") != derive_seed(2, "head", "a")
    assert derive_seed(1, "ab") != derive_seed(1, "a", "b")
    assert torch_generator(3, "x").initial_seed() == derive_seed(3, "x")
    assert numpy_generator(3, "x").integers(1 << 30) == numpy_generator(3, "x").integers(1 << 30)
