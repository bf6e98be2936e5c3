"""Cheap random draws for code that makes many small decisions.

A single scalar draw from numpy costs more than building the word it decides about, so `Draws` takes uniform numbers in
blocks. Streams are derived from a purpose, so adding one purpose never moves the draws of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_BLOCK = 4096


def generator(*purpose: str | int) -> np.random.Generator:
    """An independent generator for a purpose, e.g. ``generator("world-nli", "train", 3)``."""
    words = [word if isinstance(word, int) else zlib.crc32(word.encode()) for word in purpose]
    return np.random.default_rng(np.random.SeedSequence(words))


class Draws:
    """Uniform draws taken from a numpy Generator in blocks; the same Generator state gives the same draws."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(_BLOCK).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return int(self.uniform() * limit)

    def pick(self, items: Sequence[T]) -> T:
        """One item, uniformly."""
        return items[int(self.uniform() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        keyed = [(self.uniform(), position) for position in range(len(items))]
        return [items[position] for _, position in sorted(keyed)]
