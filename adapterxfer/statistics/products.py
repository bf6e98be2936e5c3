"""The matrix product of the engine, exact on every path.

Multiples are integers, counts are integers or lie on a grid of 2**-30, so a product computed in a type that holds every
partial sum exactly is the same to the bit on any library, thread count and order. Which path runs is a question of
speed only:

- int8 with 32-bit sums, if PyTorch is there and its product is faster than the others on this machine;
- float32 with two columns in one number: ``first + 4096 * second`` over so few clusters that both sums stay apart;
- float32, and float64 for large or fractional counts.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.vocabulary import Backend
from adapterxfer.statistics.weights import row_totals

_INT8_HIGHEST = 127
_WORTH_TRYING = 2**24
"""Multiplications of one product below which the int8 path is not tried."""
_WORTH_IMPORTING = 2**43
"""Multiplications of a whole job from which PyTorch is imported for it: a minute or more without it."""
_SHIFT = 4096.0
"""What the second of two packed columns is multiplied by; float32 holds integers up to 4096 squared."""
_TRIED = 64
"""Replicates and columns on which paths are compared."""
_FEWEST = 192
"""Clusters in one packed product below which unpacking costs more than packing saves."""

Multiples = npt.NDArray[np.integer]
Counts = npt.NDArray[np.int8] | npt.NDArray[np.int16] | npt.NDArray[np.int32] | Floats
Product = Callable[[Multiples], Floats]


def int8_library(backend: Backend, multiplications: float = 0.0) -> Any:
    """PyTorch where it may be used for a job of this size, else None.

    `numpy` never uses it, `torch` imports it, `auto` takes it if it is loaded anyway, or if the job is so large that
    importing it pays.

    Raises:
        StatisticsError: an unknown backend, or PyTorch was asked for and is not installed.
    """
    if backend not in ("auto", "numpy", "torch"):
        raise StatisticsError(f"backend '{backend}' is not one of: auto, numpy, torch", fix="use auto")
    if backend == "numpy":
        return None
    if backend == "auto" and multiplications < _WORTH_IMPORTING:
        return sys.modules.get("torch")
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        if backend == "auto":
            return None
        raise StatisticsError("backend 'torch': PyTorch is not installed", fix="use numpy") from error


class CountMatrix:
    """Cluster sums prepared for many products ``multiples @ counts``.

    Equal columns (totals and gold counts, which all systems share) are multiplied once.
    """

    def __init__(self, counts: npt.NDArray[Any], *, distinct: bool = False, torch: Any = None) -> None:
        """Prepare counts.

        Args:
            counts: shape ``(columns, clusters)``, any type and magnitude.
            distinct: no two columns are equal, so nobody has to look.
            torch: as `int8_library` gives it.
        """
        seen: dict[bytes, int] = {}
        known = [] if distinct else [seen.setdefault(column.tobytes(), len(seen)) for column in counts]
        places = np.array(known, dtype=np.intp)
        shared = len(seen) < len(places)
        self.places = places if shared else None
        self.counts = narrowest(counts[np.unique(places, return_index=True)[1]] if shared else counts)
        self.integral = np.issubdtype(self.counts.dtype, np.integer)
        self.highest = int(max(-self.counts.min(initial=0), self.counts.max(initial=0)) if self.integral else 0)
        self._negative = bool((self.counts < 0).any())
        self._torch = torch
        self._path: Product | None = None
        self._double: Floats | None = None
        self._single: npt.NDArray[np.float32] | None = None
        self._int8: Any = None
        self._packed: list[tuple[slice, npt.NDArray[np.float32]]] | None = None
        self._buffer = np.empty((0, self.counts.shape[1]), dtype=np.float32)

    def totals(self) -> Floats:
        """Sums over all clusters, shape ``(columns,)``."""
        sums = self.counts.sum(axis=1, dtype=np.int64 if self.integral else np.float64).astype(np.float64)
        return sums if self.places is None else np.asarray(sums[self.places])

    def product(self, multiples: Multiples, largest_total: int | None = None) -> Floats:
        """``multiples @ counts.T`` as float64 ``(replicates, columns)``; `largest_total` bounds the row sums."""
        return np.asarray(self.by_column(multiples, largest_total).T)

    def by_column(self, multiples: Multiples, largest_total: int | None = None) -> Floats:
        """``counts @ multiples.T`` as float64 ``(columns, replicates)``: what `product` gives, each column in a row."""
        if largest_total is None:
            largest_total = int(row_totals(multiples).max(initial=0))
        if not self.integral or largest_total * self.highest >= 2**24:
            sums = self._in_double(multiples)
        elif int(multiples.max(initial=0)) > _INT8_HIGHEST:
            sums = self._in_single(multiples)
        else:
            if self._path is None:
                self._path = self._fastest(multiples)
            sums = self._path(multiples)
        return sums if self.places is None else np.asarray(sums[self.places])

    def _in_double(self, multiples: Multiples) -> Floats:
        if self._double is None:
            self._double = np.ascontiguousarray(self.counts, dtype=np.float64)
        return np.asarray(self._double @ multiples.astype(np.float64).T)

    def _in_single(self, multiples: Multiples) -> Floats:
        if self._single is None:
            self._single = np.ascontiguousarray(self.counts, dtype=np.float32)
        return np.asarray(self._single @ self._as_single(multiples).T, dtype=np.float64)

    def _as_single(self, multiples: Multiples) -> npt.NDArray[np.float32]:
        """The multiples as float32, in memory that is used again and again."""
        if len(self._buffer) < len(multiples):
            self._buffer = np.empty(multiples.shape, dtype=np.float32)
        result = self._buffer[: len(multiples)]
        np.copyto(result, multiples, casting="unsafe")
        return result

    def _in_pairs(self, multiples: Multiples) -> Floats:
        """Two columns per float32: half the multiplications. Falls back where a sum might not fit."""
        packed = self._pairs()
        limit = (_SHIFT / 2 if self._negative else _SHIFT) - 1
        weights = self._as_single(multiples)
        half, other = self.counts.shape[0] - self.counts.shape[0] // 2, self.counts.shape[0] // 2
        first = np.zeros((half, len(weights)), dtype=np.float32)
        second = np.zeros((other, len(weights)), dtype=np.float32)
        for chosen, counts in packed:
            sums = counts @ weights[:, chosen].T
            if float(sums[-1].max(initial=0.0)) * self.highest > limit:
                return self._in_single(multiples)
            pairs = sums[:other]
            high = pairs * np.float32(1.0 / _SHIFT)
            np.rint(high, out=high) if self._negative else np.floor(high, out=high)
            second += high
            high *= np.float32(_SHIFT)
            pairs -= high
            first += sums[:half]
        result = np.empty((half + other, len(weights)))
        result[:half], result[half:] = first, second
        return result

    def _pairs(self) -> list[tuple[slice, npt.NDArray[np.float32]]]:
        """Slices of clusters with their packed counts: column i and column (half + i) in one number, and a column of
        ones, whose products are the row sums of the multiples; each of shape ``(half + 1, clusters of the slice)``.
        """
        if self._packed is None:
            columns, clusters = self.counts.shape
            half = columns - columns // 2
            joined = np.ones((half + 1, clusters), dtype=np.float32)
            joined[:half] = self.counts[:half]
            joined[: columns // 2] += np.float32(_SHIFT) * self.counts[half:].astype(np.float32)
            slices = -(-clusters // self._packed_width())
            edges = np.linspace(0, clusters, slices + 1).astype(int)
            self._packed = [
                (slice(a, b), np.ascontiguousarray(joined[:, a:b])) for a, b in itertools.pairwise(edges.tolist())
            ]
        return self._packed

    def _packed_width(self) -> int:
        """Clusters of one packed product: the sums of ordinary weights stay below the limit by five deviations."""
        room = ((_SHIFT / 2 if self._negative else _SHIFT) - 1) / max(self.highest, 1)
        return int((np.sqrt(room + 6.25) - 2.5) ** 2)

    def _in_int8(self, multiples: Multiples) -> Floats:
        if self._int8 is None:
            self._int8 = self._torch.from_numpy(np.ascontiguousarray(self.counts, dtype=np.int8))
        right = self._torch.from_numpy(np.ascontiguousarray(multiples.astype(np.uint8, copy=False)).view(np.int8))
        return np.asarray(self._torch._int_mm(self._int8, right.t()).numpy(), dtype=np.float64)

    def _fastest(self, multiples: Multiples) -> Product:
        """The path for multiples like these, chosen by size, and by the clock where int8 is possible."""
        packable = self.counts.shape[0] >= 2 and self._packed_width() >= _FEWEST
        floats = self._in_pairs if packable else self._in_single
        work = multiples.shape[0] * self.counts.size
        possible = hasattr(self._torch, "_int_mm") and self.highest <= _INT8_HIGHEST
        if work < _WORTH_TRYING or not possible:
            return floats
        few = multiples[:_TRIED]
        sample = CountMatrix(self.counts[:_TRIED], distinct=True, torch=self._torch)
        slower = sample._in_pairs if packable else sample._in_single
        expected = slower(few)
        try:
            same = np.array_equal(sample._in_int8(few), expected)
        except RuntimeError:  # private function: shapes or devices it does not take
            same = False
        return self._in_int8 if same and _seconds(sample._in_int8, few) < _seconds(slower, few) else floats


def exact_product(multiples: Multiples, counts: npt.NDArray[Any]) -> Floats:
    """A single ``multiples @ counts`` with counts of shape ``(clusters, columns)``; see `CountMatrix` for many."""
    return CountMatrix(counts.T).product(multiples)


def narrowest(counts: npt.NDArray[Any]) -> Counts:
    """The same numbers as int8, int16 or int32, or as float64 where they are fractional or too large."""
    if counts.dtype == np.int8:
        return np.asarray(counts, dtype=np.int8)
    if np.issubdtype(counts.dtype, np.floating) and not np.array_equal(counts, np.rint(counts)):
        return np.asarray(counts, dtype=np.float64)
    lowest, highest = float(counts.min(initial=0)), float(counts.max(initial=0))
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= lowest and highest <= np.iinfo(kind).max:
            return cast("Counts", counts.astype(kind, copy=False))
    return np.asarray(counts, dtype=np.float64)


def _seconds(function: Product, multiples: Multiples) -> float:
    start = time.perf_counter()
    function(multiples)
    return time.perf_counter() - start
