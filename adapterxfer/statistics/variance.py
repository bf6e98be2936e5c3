"""Analytic variances of contrasts: test items, training runs, and both (two-way cluster variance).

Linearising the metric gives every cluster an influence value, so the variance over test items is a sum of squares. The
variance over runs comes from the repetitions of each system. Both contain the run x item residual, which is subtracted
once; neither alone expects more than the whole, so V = max(V_items + V_runs - V_residual, V_items, V_runs). A few runs
whose errors happen to cancel on every item (three models that always give the same answer, each another one) would
otherwise have hardly any variance, with next to no degrees of freedom.

Source: Cameron, Gelbach and Miller 2011 for the two-way sum; Satterthwaite 1946 for the degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import Design, transform, transform_slope
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import Block, Domain, Row, ScoreTable
from adapterxfer.statistics.vocabulary import Scale

_LARGEST = 2**18
"""Floats of one temporary matrix: about what a core's cache holds."""
_NOISE = 1e-10
"""Standard errors below this share of the value are rounding errors of a quantity that does not vary."""


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of contrasts by source; every array has shape ``(contrasts,)``.

    Attributes:
        items: new test items, same models.
        runs: new training runs, same items; NaN where some system has a single run.
        residual: run x item; NaN like `runs`.
        total: items and runs together; NaN like `runs`.
        items_df: Satterthwaite degrees of freedom of `items`.
        total_df: the same of `total`; NaN like `runs`.
        clusters: clusters of test items with any count, over all domains.
        discordant: clusters in which the systems differ; equal to `clusters` where weights do not sum to 0.
        fewest_runs: smallest number of runs among the systems (0 when nothing was trained).
        most_runs: the largest.
        unequal_seeds: systems of one run group have different seeds.
    """

    items: Floats
    runs: Floats
    residual: Floats
    total: Floats
    items_df: Floats
    total_df: Floats
    clusters: npt.NDArray[np.int64]
    discordant: npt.NDArray[np.int64]
    fewest_runs: npt.NDArray[np.int64]
    most_runs: npt.NDArray[np.int64]
    unequal_seeds: npt.NDArray[np.bool_]


def components(table: ScoreTable, contrasts: Sequence[Contrast], design: Design) -> Components:
    """Variances of all contrasts."""
    count = len(contrasts)
    runs = _Runs.of(table, design, count)
    items, items_squared = np.zeros(count), np.zeros(count)
    clusters, discordant = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    residual = np.zeros(len(runs.pairs))
    deviation = np.zeros(len(runs.pairs))
    for domain in table.domains:
        part = _domain(table, domain, design, runs)
        items += part.items
        items_squared += part.items**2 / max(len(domain.clusters) - 1, 1)
        clusters += part.clusters
        discordant += part.discordant
        residual += part.residual
        deviation += part.deviation
    centred = np.array([abs(sum(c.terms.values())) < 1e-9 for c in contrasts])
    scale = np.maximum(1.0, np.abs(design.apply(table.scores[None, :], 0, len(table.rows))[0])) ** 2
    by_group = runs.variances(deviation, residual)
    total = np.maximum(items + by_group.runs - by_group.residual, np.fmax(items, by_group.runs))
    items, total = (np.where(part < _NOISE**2 * scale, 0.0, part) for part in (items, total))
    with np.errstate(divide="ignore", invalid="ignore"):
        items_df = np.where(items > 0, items**2 / items_squared, np.inf)
        total_df = np.where(total > 0, total**2 / (items_squared + by_group.runs_squared), np.inf)
    return Components(
        items,
        by_group.runs,
        by_group.residual,
        total,
        items_df,
        np.where(np.isnan(by_group.runs), np.nan, total_df),
        clusters,
        np.where(centred, discordant, clusters),
        by_group.fewest,
        by_group.most,
        by_group.unequal,
    )


class _DomainPart(NamedTuple):
    items: Floats
    clusters: npt.NDArray[np.int64]
    discordant: npt.NDArray[np.int64]
    residual: Floats
    deviation: Floats


def influence(table: ScoreTable, domain: Domain, rows: npt.NDArray[np.intp]) -> Floats:
    """Influence of every cluster on the points of some rows, shape ``(rows, clusters)``.

    The metric does not change when all counts are multiplied, so the rows sum to 0 without centring.

    Args:
        rows: sorted, counted from the domain's first.
    """
    result = np.empty((len(rows), len(domain.clusters)))
    for block, here, counts in _used_blocks(domain, rows):
        gradient = table.metrics[block.target].derivatives(counts.sum(axis=2, dtype=np.float64))
        piece = max(1, _LARGEST // len(domain.clusters))
        for start in range(0, len(counts), piece):
            part, slopes = counts[start : start + piece], gradient[start : start + piece]
            out = result[here][start : start + piece]
            np.multiply(part[:, 0], slopes[:, :1], out=out)
            for column in range(1, block.columns):
                out += slopes[:, column, None] * part[:, column]
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


def _domain(table: ScoreTable, domain: Domain, design: Design, runs: _Runs) -> _DomainPart:
    """Sums of squared influences of one domain, for all contrasts and all (contrast, run) pairs."""
    number = len(domain.clusters)
    correction = number / max(number - 1, 1)
    contrasts = next(iter(design.matrices.values())).shape[0]
    items, residual, deviation = np.zeros(contrasts), np.zeros(len(runs.pairs)), np.zeros(len(runs.pairs))
    clusters, discordant = np.zeros(contrasts, dtype=np.int64), np.zeros(contrasts, dtype=np.int64)
    here = [matrix[:, domain.first : domain.last] for matrix in design.matrices.values()]
    rows = np.unique(np.concatenate([matrix.indices for matrix in here])).astype(np.intp)
    if not len(rows):
        return _DomainPart(items, clusters, discordant, residual, deviation)
    averaging = runs.averaging[domain.first + rows][:, domain.first + rows]
    whole = _Effects(table, domain, rows)
    for scale, matrix in zip(design.matrices, here, strict=True):
        weights = matrix[:, rows]
        if not weights.nnz:
            continue
        models = runs.matrices[scale][:, domain.first + rows]
        apart = not models.nnz and weights.nnz <= 2 * len(rows)
        for numbers in _parts(np.flatnonzero(np.diff(weights.indptr)), number):
            chosen, effects = weights[numbers], whole
            if apart:  # every row belongs to about one contrast: only a few at a time, which stay in the cache
                own = np.unique(chosen.indices)
                chosen, effects = chosen[:, own], _Effects(table, domain, rows[own])
                moved = effects.weighted(chosen, scale)
            else:
                moved = chosen @ effects.scaled(scale)
            items[numbers] += np.einsum("ij,ij->i", moved, moved)
            size = abs(chosen).sum(axis=1)
            filled = effects.filled
            clusters[numbers] += number if filled is None else ((abs(chosen) @ filled) > 0).sum(axis=1)
            discordant[numbers] += _different(chosen, effects.columns, size, number)
        if models.nnz:
            scores = transform(table.scores[domain.first + rows], scale)
            deviation += models @ (scores - averaging @ scores)
            scaled = whole.scaled(scale)
            centred = scaled - averaging @ scaled
            for pairs in _parts(np.flatnonzero(np.diff(models.indptr)), number):
                moved = models[pairs] @ centred
                residual[pairs] += np.einsum("ij,ij->i", moved, moved)
    return _DomainPart(correction * items, clusters, discordant, correction * residual, deviation)


class _Effects:
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
        totals = np.stack([np.broadcast_to(part.sum(axis=-1), len(self._rows)) for part in self.columns], axis=1)
        slopes = np.zeros_like(totals)
        for block, here in _block_places(self._domain, self._rows):
            slopes[here, : block.columns] = self._table.metrics[block.target].derivatives(totals[here, : block.columns])
        if scale != "points":
            scores = self._table.scores[self._domain.first + self._rows]
            slopes *= transform_slope(scores, scale)[:, None]
        result = np.zeros((weights.shape[0], len(self._domain.clusters)))
        for column, slope in zip(self.columns, slopes.T, strict=True):
            own = sparse.csr_array(
                (weights.data * slope[weights.indices], weights.indices, weights.indptr), weights.shape
            )
            if column.ndim == 2:
                result += own @ column
            else:
                result += np.multiply.outer(own.sum(axis=1), column)
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


def _parts(numbers: npt.NDArray[np.intp], width: int) -> Iterator[npt.NDArray[np.intp]]:
    """Pieces of ``numbers`` that keep ``piece x width`` floats small."""
    step = max(1, _LARGEST // max(width, 1))
    return (numbers[start : start + step] for start in range(0, len(numbers), step))


def _different(weights: Any, columns: list[Floats], size: Floats, clusters: int) -> npt.NDArray[np.int64]:
    """In how many clusters the weighted counts of a contrast do not cancel, shape ``(contrasts,)``.

    A column that all rows share cancels in every contrast whose weights sum to 0; the others are not looked at.
    """
    result = np.zeros((weights.shape[0], clusters), dtype=np.bool_)
    for column in columns:
        if column.ndim == 2:
            moved = weights @ column
            result |= np.abs(moved, out=moved) > (1e-9 * float(column.max(initial=0.0)) * size)[:, None]
    return np.array([np.count_nonzero(row) for row in result])


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
            np.array_equal(part, np.broadcast_to(held[0][0], part.shape)) for part in held
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
    if all(part.all() for _, part in parts):
        return None
    result = np.zeros((len(rows), len(domain.clusters)))
    for here, part in parts:
        result[here] = part
    return result


class _Groups(NamedTuple):
    runs: Floats
    runs_squared: Floats
    residual: Floats
    fewest: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]
    unequal: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Trained models behind contrasts.

    Attributes:
        pairs: (contrast, run group, seed), one per trained model and contrast.
        matrices: scale -> CSR ``(pairs, rows)``: the contrast's weights on the rows of that model.
        averaging: CSR ``(rows, rows)``; ``averaging @ scores`` is each row's mean over the runs of its cell.
        seeds: per contrast and group, the seeds of each of its cells.
    """

    pairs: tuple[tuple[int, tuple[str, ...], str], ...]
    matrices: dict[Scale, Any]
    averaging: Any
    seeds: dict[tuple[int, tuple[str, ...]], tuple[frozenset[str], ...]]
    contrasts: int

    @classmethod
    def of(cls, table: ScoreTable, design: Design, contrasts: int) -> _Runs:
        numbers: dict[tuple[int, tuple[str, ...], str], int] = {}
        seeds: dict[tuple[int, tuple[str, ...]], dict[object, set[str]]] = {}
        matrices: dict[Scale, Any] = {}
        entries: dict[Scale, tuple[list[int], list[int], list[float]]] = {}
        for scale, matrix in design.matrices.items():
            pairs, rows, weights = entries.setdefault(scale, ([], [], []))
            coordinates = matrix.tocoo()
            for contrast, index, weight in zip(
                coordinates.row.tolist(), coordinates.col.tolist(), coordinates.data.tolist(), strict=True
            ):
                row: Row = table.rows[index]
                if row.seed is None:
                    continue
                pair = (contrast, row.group, repr(row.seed))
                pairs.append(numbers.setdefault(pair, len(numbers)))
                rows.append(index)
                weights.append(weight)
                seeds.setdefault((contrast, row.group), {}).setdefault(row.cell, set()).add(repr(row.seed))
        for scale, (pairs, rows, weights) in entries.items():
            matrices[scale] = sparse.csr_array((weights, (pairs, rows)), shape=(len(numbers), len(table.rows)))
        groups = {key: tuple(frozenset(s) for s in by_cell.values()) for key, by_cell in seeds.items()}
        return cls(tuple(numbers), matrices, _averaging(table), groups, contrasts)

    def variances(self, deviation: Floats, residual: Floats) -> _Groups:
        """Variance over runs and over run x item, per contrast, from the sums per trained model."""
        runs, squared, rest = np.zeros(self.contrasts), np.zeros(self.contrasts), np.zeros(self.contrasts)
        fewest = np.full(self.contrasts, np.iinfo(np.int64).max)
        most, unequal = np.zeros(self.contrasts, dtype=np.int64), np.zeros(self.contrasts, dtype=bool)
        sums: dict[tuple[int, tuple[str, ...]], list[float]] = {}
        for (contrast, group, _), moved, left in zip(self.pairs, deviation.tolist(), residual.tolist(), strict=True):
            total = sums.setdefault((contrast, group), [0.0, 0.0])
            total[0] += moved**2
            total[1] += left
        for (contrast, group), (moved_squared, left) in sums.items():
            by_cell = self.seeds[contrast, group]
            size = min(len(seeds) for seeds in by_cell)
            fewest[contrast] = min(fewest[contrast], size)
            most[contrast] = max(most[contrast], *(len(seeds) for seeds in by_cell))
            unequal[contrast] |= len(set(by_cell)) > 1
            if size < 2:
                runs[contrast] = rest[contrast] = np.nan
                continue
            factor = size / (size - 1)
            runs[contrast] += factor * moved_squared
            squared[contrast] += (factor * moved_squared) ** 2 / (size - 1)
            rest[contrast] += factor * left
        fewest[most == 0] = 0
        return _Groups(runs, squared, rest, fewest, most, unequal)


def _averaging(table: ScoreTable) -> Any:
    rows, columns, weights = [], [], []
    for indices in table.cells.values():
        for row in indices:
            for column in indices:
                rows.append(row)
                columns.append(column)
                weights.append(1.0 / len(indices))
    return sparse.csr_array((weights, (rows, columns)), shape=(len(table.rows), len(table.rows)))
