"""Influence of single clusters of test items on scores: what analytic variances add up.

The metric does not change when all counts are multiplied, so the influences of a score sum to 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.statistics.design import transform_slope
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import Block, Domain, ScoreTable
from adapterxfer.statistics.vocabulary import Scale

LARGEST = 2**18
"""Floats of one temporary matrix: about what a core's cache holds."""


def influence(table: ScoreTable, domain: Domain, rows: npt.NDArray[np.intp]) -> Floats:
    """Influence of every cluster on the points of some rows, shape ``(rows, clusters)``.

    The metric does not change when all counts are multiplied, so the rows sum to 0 without centring.

    Args:
        rows: sorted, counted from the domain's first.
    """
    result = np.empty((len(rows), len(domain.clusters)))
    for block, here, counts in _used_blocks(domain, rows):
        gradient = table.metrics[block.target].derivatives(counts.sum(axis=2, dtype=np.float64))
        piece = max(1, LARGEST // len(domain.clusters))
        for start in range(0, len(counts), piece):
            chosen, slopes = counts[start : start + piece], gradient[start : start + piece]
            out = result[here][start : start + piece]
            np.multiply(chosen[:, 0], slopes[:, :1], out=out)
            for column in range(1, block.columns):
                out += slopes[:, column, None] * chosen[:, column]
    return result


def _used_blocks(domain: Domain, rows: npt.NDArray[np.intp]) -> Iterator[tuple[Block, slice, npt.NDArray[Any]]]:
    """Every block with the places of its rows among `rows` and their counts, shape ``(rows, k, clusters)``."""
    for block, here in _block_places(domain, rows):
        yield block, here, domain.of_block(block)[rows[here] - (block.first - domain.first)]


def _block_places(domain: Domain, rows: npt.NDArray[np.intp]) -> Iterator[tuple[Block, slice]]:
    """Every block that has some of the rows, with their places among `rows`."""
    for block in domain.blocks:
        first, last = np.searchsorted(rows, [block.first - domain.first, block.last - domain.first])
        if first < last:
            yield block, slice(first, last)


class Effects:
    """Influences and counts of some rows of a domain, made when they are first asked for."""

    def __init__(self, table: ScoreTable, domain: Domain, rows: npt.NDArray[np.intp]) -> None:
        self._table, self._domain, self._rows = table, domain, rows
        self._points: Floats | None = None
        self._other: tuple[list[Floats], Floats | None] | None = None

    def scaled(self, scale: Scale) -> Floats:
        """Influence of every cluster on the transformed scores, shape ``(rows, clusters)``."""
        if self._points is None:
            self._points = influence(self._table, self._domain, self._rows)
        if scale == "points":
            return self._points
        scores = self._table.scores[self._domain.first + self._rows]
        return np.asarray(self._points * transform_slope(scores, scale)[:, None])

    def weighted(self, weights: Any, scale: Scale) -> Floats:
        """``weights @ self.scaled(scale)`` without the influences of single rows, shape ``(contrasts, clusters)``.

        Columns that all rows share are multiplied once.
        """
        totals = np.stack([np.broadcast_to(column.sum(axis=-1), len(self._rows)) for column in self.columns], axis=1)
        slopes = np.zeros_like(totals)
        for block, here in _block_places(self._domain, self._rows):
            slopes[here, : block.columns] = self._table.metrics[block.target].derivatives(totals[here, : block.columns])
        if scale != "points":
            scores = self._table.scores[self._domain.first + self._rows]
            slopes *= transform_slope(scores, scale)[:, None]
        result = np.zeros((weights.shape[0], len(self._domain.clusters)))
        for column, slope in zip(self.columns, slopes.T, strict=True):
            scaled = sparse.csr_array(
                (weights.data * slope[weights.indices], weights.indices, weights.indptr), weights.shape
            )
            if column.ndim == 2:
                result += scaled @ column
            else:
                result += np.multiply.outer(scaled.sum(axis=1), column)
        return result

    @property
    def columns(self) -> list[Floats]:
        """See `_columns`."""
        return self._made()[0]

    @property
    def filled(self) -> Floats | None:
        """See `_filled`."""
        return self._made()[1]

    def _made(self) -> tuple[list[Floats], Floats | None]:
        if self._other is None:
            self._other = _columns(self._domain, self._rows), _filled(self._domain, self._rows)
        return self._other


def _columns(domain: Domain, rows: npt.NDArray[np.intp]) -> list[Floats]:
    """Counts column by column, each ``(rows, clusters)``; zero where a row's target has fewer columns.

    A column that is the same in all rows has shape ``(clusters,)``.
    """
    widest = max(block.columns for block in domain.blocks)
    parts = list(_used_blocks(domain, rows))
    columns: list[Floats] = []
    for column in range(widest):
        held = [counts[:, column] for block, _, counts in parts if column < block.columns]
        if len(held) == len(parts) and all(
            np.array_equal(column_of_block, np.broadcast_to(held[0][0], column_of_block.shape))
            for column_of_block in held
        ):
            columns.append(held[0][0].astype(np.float64))
            continue
        values = np.zeros((len(rows), len(domain.clusters)))
        for block, here, counts in parts:
            if column < block.columns:
                values[here] = counts[:, column]
        columns.append(values)
    return columns


def _filled(domain: Domain, rows: npt.NDArray[np.intp]) -> Floats | None:
    """1 where a row has any count in a cluster, else 0, shape ``(rows, clusters)``; None where all are 1."""
    parts = [(here, counts.any(axis=1)) for _, here, counts in _used_blocks(domain, rows)]
    if all(filled.all() for _, filled in parts):
        return None
    result = np.zeros((len(rows), len(domain.clusters)))
    for here, filled in parts:
        result[here] = filled
    return result
