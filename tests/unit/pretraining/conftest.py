"""A corpus that only context can predict, for pretrainings of a second."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer.pretraining.corpus import Corpus, Sequences, SpecialTokens, Stream

WORDS = 40


@pytest.fixture(scope="module")
def small_corpus() -> Corpus:
    """A hundred sequences that count upwards, in two languages, with pairs."""
    rng = np.random.default_rng(0)

    def rows(count: int) -> list[list[int]]:
        starts, lengths = rng.integers(30, size=count), rng.integers(5, 12, size=count)
        return [[0, *(5 + (s + i) % (WORDS - 5) for i in range(n)), 2] for s, n in zip(starts, lengths, strict=True)]

    mono = Sequences.build(rows(80), rng.integers(0, 2, 80))
    pairs = Sequences.build(rows(20), [-1] * 20)
    heldout = Sequences.build(rows(20), [0, 1] * 10)
    return Corpus(
        ("en", "de"), WORDS, SpecialTokens(), (Stream("mono", 0.7, mono), Stream("pairs", 0.3, pairs)), heldout
    )
