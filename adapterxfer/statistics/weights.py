"""Random cluster weights, one stream per (seed, domain, block of 256 replicates).

Only the bit stream of SFC64 is used, never numpy's distributions: their algorithms may change between numpy versions,
the bit stream may not. Weights are ``offset + step * multiples`` with small integer multiples, so that weighted sums of
integer counts are exact whatever computes them.
"""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.vocabulary import WeightKind

BLOCK = 256
"""Replicates per stream. Part of the specification: another value gives other draws."""

_MAMMEN_HIGH = (math.sqrt(5.0) - 1.0) / (2.0 * math.sqrt(5.0))
"""Probability of the larger Mammen weight, (3 + sqrt 5) / 2; the smaller is (3 - sqrt 5) / 2."""


class Weights(NamedTuple):
    """Weights ``offset + step * multiples``, multiples of shape ``(replicates, clusters)``."""

    multiples: npt.NDArray[np.integer]
    offset: float
    step: float


def stream(seed: int, domain: str, block: int) -> np.random.Generator:
    """The generator of one block of one domain; independent of every other domain and block."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, zlib.crc32(domain.encode()), block])))


def draw(kind: WeightKind, rng: np.random.Generator, *, clusters: int, replicates: int = BLOCK) -> Weights:
    """Weights of all clusters in some replicates.

    `multinomial` draws as many clusters as there are, with replacement (the ordinary bootstrap). `poisson` draws
    each cluster's weight on its own (Poisson with mean 1). `mammen` gives each cluster one of two positive weights with
    mean, variance and third moment 1, so no cluster ever vanishes and no denominator becomes 0.

    Source: Mammen 1993 for the two-point law; Poisson weights as in Hanley and MacGibbon 2006.
    """
    if kind == "multinomial":
        return Weights(_multinomial(rng, clusters, replicates), 0.0, 1.0)
    halves = np.frombuffer(rng.bytes(2 * replicates * clusters), dtype="<u2").reshape(replicates, clusters)
    if kind == "poisson":
        return Weights(_POISSON_TABLE[halves], 0.0, 1.0)
    if kind == "mammen":
        high = (halves < round(_MAMMEN_HIGH * 65536)).astype(np.uint8)
        return Weights(high, (3.0 - math.sqrt(5.0)) / 2.0, math.sqrt(5.0))
    raise StatisticsError(f"weights '{kind}' are not one of: multinomial, poisson, mammen", fix="use multinomial")


def _multinomial(rng: np.random.Generator, clusters: int, replicates: int) -> npt.NDArray[np.uint8]:
    """How often each cluster is drawn, row by row so that the counters stay in the cache.

    An index is the upper half of ``word * clusters``: off from uniform by less than ``clusters / 2**32``.
    """
    words = np.frombuffer(rng.bytes(4 * replicates * clusters), dtype="<u4").reshape(replicates, clusters)
    multiples = np.empty((replicates, clusters), dtype=np.uint8)
    drawn = np.empty(clusters, dtype=np.uint64)
    for row in range(replicates):
        np.multiply(words[row], np.uint64(clusters), out=drawn, dtype=np.uint64)
        np.right_shift(drawn, np.uint64(32), out=drawn)
        multiples[row] = np.bincount(drawn.view(np.int64), minlength=clusters)
    return multiples


def draw_signs(rng: np.random.Generator, *, clusters: int, replicates: int = BLOCK) -> npt.NDArray[np.uint8]:
    """Fair bits of shape ``(replicates, clusters)`` for sign-flip and swap tests: 1 means flip."""
    width = (clusters + 7) // 8
    raw = np.frombuffer(rng.bytes(replicates * width), dtype=np.uint8).reshape(replicates, width)
    return np.unpackbits(raw, axis=1, count=clusters)


def _poisson_table() -> npt.NDArray[np.uint8]:
    """Poisson(1) value of each 16-bit word: the inverse distribution function on a grid of 2**-16."""
    cumulative = np.cumsum([math.exp(-1.0) / math.factorial(value) for value in range(12)])
    return np.searchsorted(cumulative, (np.arange(65536) + 0.5) / 65536, side="right").astype(np.uint8)


_POISSON_TABLE = _poisson_table()
