"""Random cluster weights, one stream per (seed, domain, block of 256 replicates).

Only the bit stream of SFC64 is used, never numpy's distributions: their algorithms may change between numpy versions,
the bit stream may not. Weights are ``offset + step * multiples`` with small integer multiples, so that weighted sums of
integer counts are exact whatever computes them.

How the draws are made is part of the specification, like the block size: a change gives other (equally good) draws.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.vocabulary import WeightKind

BLOCK = 256
"""Replicates per stream. Part of the specification: another value gives other draws."""

_MAMMEN_HIGH = (math.sqrt(5.0) - 1.0) / (2.0 * math.sqrt(5.0))
"""Probability of the larger Mammen weight, (3 + sqrt 5) / 2; the smaller is (3 - sqrt 5) / 2."""
_MARGIN = 2.5
"""Standard deviations by which the Poisson draws of a multinomial row stay below its total on average."""
_HIGHEST = 13
"""Largest value of a Poisson law with mean at most 1 here: larger ones have probability 1e-11."""

Bytes = npt.NDArray[np.uint8]


class Weights(NamedTuple):
    """Weights ``offset + step * multiples``, multiples of shape ``(replicates, clusters)``.

    ``largest_total`` is a bound on the row sums of the multiples, or None where nobody knows one.
    """

    multiples: npt.NDArray[np.integer]
    offset: float
    step: float
    largest_total: int | None = None


def stream(seed: int, domain: str, block: int) -> np.random.Generator:
    """The generator of one block of one domain; independent of every other domain and block."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, zlib.crc32(domain.encode()), block])))


def random_bytes(rng: np.random.Generator, count: int) -> Bytes:
    """Raw bytes of the bit stream, whole 64-bit words at a time; the same on every platform."""
    words = np.atleast_1d(rng.bit_generator.random_raw(-(-count // 8)))
    return words.astype("<u8", copy=False).view(np.uint8)[:count]


def draw(
    kind: WeightKind, rng: np.random.Generator, *, clusters: int, replicates: int = BLOCK, out: Bytes | None = None
) -> Weights:
    """Weights of all clusters in some replicates.

    `multinomial` draws as many clusters as there are, with replacement (the ordinary bootstrap). `poisson` draws
    each cluster's weight on its own (Poisson with mean 1). `mammen` gives each cluster one of two positive weights with
    mean, variance and third moment 1, so no cluster ever vanishes and no denominator becomes 0.

    Args:
        out: where to write the multiples, shape ``(replicates, clusters)``; fresh memory when None.

    Source: Mammen 1993 for the two-point law; Poisson weights as in Hanley and MacGibbon 2006.
    """
    if kind == "multinomial":
        return Weights(_multinomial(rng, clusters, replicates, out), 0.0, 1.0, clusters)
    if kind == "poisson":
        multiples = _poisson(1.0).draw(rng, replicates, clusters, out)
        return Weights(multiples, 0.0, 1.0, int(row_totals(multiples).max(initial=0)))
    if kind == "mammen":
        high = _law((1.0 - _MAMMEN_HIGH, _MAMMEN_HIGH)).draw(rng, replicates, clusters, out)
        return Weights(high, (3.0 - math.sqrt(5.0)) / 2.0, math.sqrt(5.0), clusters)
    raise StatisticsError(f"weights '{kind}' are not one of: multinomial, poisson, mammen", fix="use multinomial")


def row_totals(multiples: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Sums of rows. Where all values are below 16, sixteen columns are added as bytes first: a third of the time."""
    width = multiples.shape[1] // 16
    if multiples.dtype != np.uint8 or width < 2 or int(multiples.max(initial=0)) > 15:
        return np.asarray(multiples.sum(axis=1, dtype=np.int64))
    folded = multiples[:, : 16 * width].reshape(len(multiples), 16, width).sum(axis=1, dtype=np.uint8)
    rest = multiples[:, 16 * width :].sum(axis=1, dtype=np.int64)
    return np.asarray(folded.sum(axis=1, dtype=np.int64) + rest)


def _multinomial(rng: np.random.Generator, clusters: int, replicates: int, out: Bytes | None) -> Bytes:
    """How often each cluster is drawn when as many are drawn as there are.

    Independent Poisson counts are multinomial given their sum, whatever it is. So counts with a mean a little below 1
    are drawn first, rows with too large a sum are drawn again, and what a row lacks is drawn cluster by cluster: the
    exact law for an eighth of the random bits. A cluster is the upper half of ``word * clusters``, off from uniform by
    less than ``clusters / 2**32``.
    """
    law = _poisson(max(0.0, 1.0 - _MARGIN / math.sqrt(clusters)))
    multiples = law.draw(rng, replicates, clusters, out)
    missing = clusters - row_totals(multiples)
    while len(again := np.flatnonzero(missing < 0)):
        multiples[again] = law.draw(rng, len(again), clusters)
        missing[again] = clusters - row_totals(multiples[again])
    words = random_bytes(rng, 4 * int(missing.sum())).view("<u4")
    places = np.multiply(words, np.uint64(clusters), dtype=np.uint64) >> np.uint64(32)
    starts = np.repeat(np.arange(0, multiples.size, clusters, dtype=np.uint64), missing)
    np.add.at(multiples.reshape(-1), (places + starts).view(np.int64), np.uint8(1))
    return multiples


@dataclass(frozen=True, slots=True)
class _Law:
    """A law on small integers, drawn from one random byte each, and one 32-bit word more where the byte is undecided.

    Attributes:
        steps: the value is how many of these the byte reaches.
        undecided: bytes from here on are undecided; 256 if none is.
        tail: the value of an undecided byte is how many of these the word reaches.
    """

    steps: tuple[int, ...]
    undecided: int
    tail: tuple[int, ...]

    def draw(self, rng: np.random.Generator, rows: int, columns: int, out: Bytes | None = None) -> Bytes:
        """Independent values of shape ``(rows, columns)``, written to `out` if it is given."""
        values = np.empty((rows, columns), dtype=np.uint8) if out is None else out
        flat = values.reshape(-1)
        if not self.steps:
            flat.fill(0)
        if not self.steps and self.undecided == 256:
            return values
        places = []
        drawn = random_bytes(rng, flat.size)
        reached = np.empty(min(_PIECE, flat.size), dtype=np.bool_)
        for start in range(0, flat.size, _PIECE):
            piece = flat[start : start + _PIECE]
            raw, flags = drawn[start : start + _PIECE], reached[: len(piece)]
            for position, step in enumerate(self.steps):
                np.greater_equal(raw, step, out=flags if position else piece.view(np.bool_))
                if position:
                    np.add(piece, flags.view(np.uint8), out=piece)
            if self.undecided < 256:
                np.greater_equal(raw, self.undecided, out=flags)
                places.append(np.flatnonzero(flags) + start)
        if places:
            chosen = np.concatenate(places)
            words = random_bytes(rng, 4 * len(chosen)).view("<u4")
            decided = np.zeros(len(chosen), dtype=np.uint8)
            for step in self.tail:
                decided += words >= step
            flat[chosen] = decided
        return values


_PIECE = 2**17
"""Bytes worked on at a time, so that they stay in the cache; changes no value."""


def _law(probabilities: tuple[float, ...] | tuple[Decimal, ...]) -> _Law:
    """The law with these probabilities of 0, 1, ..., off by less than 2**-39 each."""
    exact = [Decimal(value) * 256 for value in probabilities]
    whole = [int(value) for value in exact]
    undecided = 256 - sum(whole)
    ends = [sum(whole[: position + 1]) for position in range(len(whole))]
    steps = tuple(end for position, end in enumerate(ends[:-1]) if any(whole[position + 1 :]))
    if not undecided:
        return _Law(steps, 256, ())
    rest = [value - share for value, share in zip(exact, whole, strict=True)]
    scale = Decimal(2**32) / sum(rest)
    tail = tuple(round(scale * sum(rest[: position + 1])) for position in range(len(rest) - 1))
    return _Law(steps, 256 - undecided, tuple(end for end in tail if end < 2**32))


@lru_cache(maxsize=4096)
def _poisson(mean: float) -> _Law:
    """Poisson law with a mean of at most 1; decimals, so that no platform's `exp` moves a threshold."""
    with localcontext() as context:
        context.prec = 40
        value = Decimal(mean)
        first = (-value).exp()
        probabilities = [first]
        for count in range(1, _HIGHEST):
            probabilities.append(probabilities[-1] * value / count)
        return _law((*probabilities, 1 - sum(probabilities, Decimal(0))))
