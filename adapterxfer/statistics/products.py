"""The matrix product of the engine, exact on every path.

Multiples are integers, counts are integers or lie on a grid of 2**-30, so a product computed in a type that holds every
partial sum exactly is the same to the bit on any library, thread count and order. Which path runs is a question of
speed only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.statistics.metric import Floats

_INT8_HIGHEST = 127
_WORTH_TRYING = 2**24
"""Multiplications of one product below which the int8 path is not tried."""

Multiples = npt.NDArray[np.integer]
Product = Callable[[Multiples], Floats]


@dataclass(slots=True)
class CountMatrix:
    """Cluster sums prepared for many products ``multiples @ counts``.

    Equal columns (totals and gold counts, which all systems share) are multiplied once.

    Attributes:
        counts: float64 ``(clusters, distinct columns)``.
        places: distinct column of every column, shape ``(columns,)``; None where all are distinct.
        integral: all counts are integers.
        highest: largest count.
    """

    counts: Floats
    places: npt.NDArray[np.intp] | None
    integral: bool
    highest: float
    _single: npt.NDArray[np.float32] | None = None
    _int8: Product | None = None
    _tried: bool = False

    @classmethod
    def of(cls, counts: Floats) -> CountMatrix:
        """Counts as float64 ``(clusters, columns)``, any magnitude."""
        seen: dict[bytes, int] = {}
        places = np.array([seen.setdefault(column.tobytes(), len(seen)) for column in counts.T], dtype=np.intp)
        shared = len(seen) < len(places)
        kept = counts[:, np.unique(places, return_index=True)[1]] if shared else counts
        integral = bool(np.array_equal(kept, np.rint(kept)))
        return cls(kept, places if shared else None, integral, float(kept.max(initial=0.0)))

    def product(self, multiples: Multiples) -> Floats:
        """``multiples @ counts`` as float64 ``(replicates, columns)``."""
        sums = self._product(multiples)
        return sums if self.places is None else sums[:, self.places]

    def _product(self, multiples: Multiples) -> Floats:
        largest_total = float(multiples.sum(axis=1, dtype=np.int64).max(initial=0))
        if not self.integral or largest_total * self.highest >= 2**24:
            return np.asarray(multiples.astype(np.float64) @ self.counts)
        if self._int8 is None and not self._tried:
            self._tried = True
            self._int8 = self._faster_int8(multiples)
        if self._int8 is not None and int(multiples.max(initial=0)) <= _INT8_HIGHEST:
            return self._int8(multiples)
        return self._in_single(multiples)

    def _in_single(self, multiples: Multiples) -> Floats:
        if self._single is None:
            self._single = self.counts.astype(np.float32)
        return np.asarray(multiples.astype(np.float32) @ self._single, dtype=np.float64)

    def _faster_int8(self, multiples: Multiples) -> Product | None:
        """The int8 product if PyTorch is loaded anyway, has it, and it is faster here; else None."""
        torch: Any = sys.modules.get("torch")
        work = multiples.shape[0] * self.counts.size
        if work < _WORTH_TRYING or self.highest > _INT8_HIGHEST or not hasattr(torch, "_int_mm"):
            return None
        if int(multiples.max(initial=0)) > _INT8_HIGHEST:
            return None
        counts = torch.from_numpy(np.ascontiguousarray(self.counts.astype(np.int8)))

        def product(weights: Multiples) -> Floats:
            left = torch.from_numpy(np.ascontiguousarray(weights.astype(np.int8, copy=False)))
            return np.asarray(torch._int_mm(left, counts).numpy(), dtype=np.float64)

        try:
            same = np.array_equal(product(multiples), self._in_single(multiples))
        except RuntimeError:  # private function: shapes or devices it does not take
            return None
        return product if same and _seconds(product, multiples) < _seconds(self._in_single, multiples) else None


def exact_product(multiples: Multiples, counts: Floats) -> Floats:
    """A single ``multiples @ counts``; see `CountMatrix` for many."""
    return CountMatrix.of(counts).product(multiples)


def _seconds(function: Product, multiples: Multiples) -> float:
    start = time.perf_counter()
    function(multiples)
    return time.perf_counter() - start
