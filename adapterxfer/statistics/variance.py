"""Analytic variances of contrasts: test items, training runs, and both (two-way cluster variance).

Linearising the metric gives every cluster an influence value, so the variance over test items is a sum of squares. The
variance over runs comes from the repetitions of each system. Both contain the run x item residual, which is subtracted
once: V = max(V_items + V_runs - V_residual, V_items).

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

_LARGEST = 2**21
"""Floats of one temporary matrix."""
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
    total = np.maximum(items + by_group.runs - by_group.residual, items)
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


def influence(table: ScoreTable, domain: Domain) -> Floats:
    """Influence of every cluster on every row's points, shape ``(rows of the domain, clusters)``.

    The metric does not change when all counts are multiplied, so the rows sum to 0 without centring.
    """
    result = np.empty((domain.last - domain.first, len(domain.clusters)))
    for block, counts in _counts_by_block(domain):
        gradient = table.metrics[block.target].derivatives(counts.sum(axis=0))
        part = result[block.first - domain.first : block.last - domain.first]
        np.einsum("crk,rk->rc", counts, gradient, out=part)
    return result


def _counts_by_block(domain: Domain) -> Iterator[tuple[Block, Floats]]:
    """Every block with its counts, shape ``(clusters, rows, columns)``."""
    offset = 0
    for block in domain.blocks:
        width = (block.last - block.first) * block.columns
        yield block, domain.sums[:, offset : offset + width].reshape(len(domain.clusters), -1, block.columns)
        offset += width


def _domain(table: ScoreTable, domain: Domain, design: Design, runs: _Runs) -> _DomainPart:
    """Sums of squared influences of one domain, for all contrasts and all (contrast, run) pairs."""
    here = slice(domain.first, domain.last)
    number = len(domain.clusters)
    correction = number / max(number - 1, 1)
    effect = influence(table, domain)
    contrasts = next(iter(design.matrices.values())).shape[0]
    items, residual, deviation = np.zeros(contrasts), np.zeros(len(runs.pairs)), np.zeros(len(runs.pairs))
    clusters, discordant = np.zeros(contrasts, dtype=np.int64), np.zeros(contrasts, dtype=np.int64)
    columns = _columns(domain)
    filled = (np.add.reduce(columns) > 0).astype(np.float64)
    averaging = runs.averaging[here, here]
    for scale, matrix in design.matrices.items():
        weights, models = matrix[:, here], runs.matrices[scale][:, here]
        if not weights.nnz:
            continue
        scaled = effect * transform_slope(table.scores[here], scale)[:, None]
        scores = transform(table.scores[here], scale)
        for part in _parts(contrasts, number):
            items[part] += ((weights[part] @ scaled) ** 2).sum(axis=1)
            magnitude = abs(weights[part])
            clusters[part] += ((magnitude @ filled) > 0).sum(axis=1)
            different = np.zeros((magnitude.shape[0], number), dtype=bool)
            for column in columns:
                different |= np.abs(weights[part] @ column) > 1e-9 * (magnitude @ column)
            discordant[part] += different.sum(axis=1)
        if models.nnz:
            deviation += models @ (scores - averaging @ scores)
            centred = scaled - averaging @ scaled
            for part in _parts(len(runs.pairs), number):
                residual[part] += ((models[part] @ centred) ** 2).sum(axis=1)
    return _DomainPart(correction * items, clusters, discordant, correction * residual, deviation)


def _parts(count: int, width: int) -> Iterator[slice]:
    """Slices of ``count`` that keep ``slice x width`` floats small."""
    step = max(1, _LARGEST // max(width, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _columns(domain: Domain) -> list[Floats]:
    """Counts column by column, each ``(rows, clusters)``; zero where a row's target has fewer columns."""
    widest = max(block.columns for block in domain.blocks)
    columns = [np.zeros((domain.last - domain.first, len(domain.clusters))) for _ in range(widest)]
    for block, counts in _counts_by_block(domain):
        for column in range(block.columns):
            columns[column][block.first - domain.first : block.last - domain.first] = counts[:, :, column].T
    return columns


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
