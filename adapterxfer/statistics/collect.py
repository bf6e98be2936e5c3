"""From per-example counts to a `ScoreTable`: check every item, add counts up by cluster, lay out the domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats, ScoreFunction, SumScore, as_metric
from adapterxfer.statistics.products import Counts, narrowest
from adapterxfer.statistics.table import Block, CellCounts, Domain, RunScore, ScoreCell, ScoreTable, System

_GRID = float(2**30)
"""Fractional counts are rounded to multiples of 2**-30, so that their sums are exact in float64 in any order."""


def build_table(cells: Iterable[CellCounts], metrics: Mapping[str, SumScore | ScoreFunction]) -> ScoreTable:
    """Aggregate per-example counts to clusters and join all runs into one table.

    Args:
        cells: one item per (run, target, language), in any order; consumed one at a time.
        metrics: target -> metric, or a plain function of sums ``(..., k)`` -> points.

    Raises:
        StatisticsError: an item twice, lengths that differ, counts that are not finite or negative, a target without a
            metric, systems that were scored on different examples of the same language, or gold columns that differ.
    """
    collector = _Collector({name: as_metric(metric, name) for name, metric in metrics.items()})
    for cell in cells:
        collector.add(cell)
    return collector.table()


@dataclass(slots=True)
class _Reference:
    """What every row of one (target, language) has to agree on."""

    ids: npt.NDArray[np.str_]
    clusters: npt.NDArray[np.str_]
    inverse: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]
    order: npt.NDArray[np.intp]
    gold: Floats
    first_system: str


class _Collector:
    """Checks and aggregates one item after the other, then lays out the domains."""

    def __init__(self, metrics: Mapping[str, SumScore]) -> None:
        self.metrics = metrics
        self.references: dict[tuple[str, str], _Reference] = {}
        self.rows: dict[RunScore, tuple[npt.NDArray[np.str_], Counts]] = {}
        self.seen: set[tuple[ScoreCell, int | str | None]] = set()

    def add(self, item: CellCounts) -> None:
        """Check one item and keep its counts by cluster."""
        cell = ScoreCell(System.of(item.system), item.target, item.language)
        where = f"{cell} seed {item.seed}"
        metric = self._metric(item.target)
        counts = _checked_counts(item.counts, where)
        ids = np.asarray(item.cluster_ids, dtype=np.str_)
        if ids.shape != (len(counts),):
            raise StatisticsError(
                f"{where}: {len(ids)} cluster ids for {len(counts)} examples", fix="give one cluster id per example"
            )
        if (cell, item.seed) in self.seen:
            raise StatisticsError(f"{where}: given twice", fix="give each run of a system once per target and language")
        self.seen.add((cell, item.seed))
        reference = self.references.get((item.target, item.language))
        if reference is not None and (reference.ids is ids or np.array_equal(reference.ids, ids)):
            clusters, inverse, sizes = reference.clusters, reference.inverse, reference.sizes
            order = reference.order
        else:
            clusters, inverse, sizes = np.unique(ids, return_inverse=True, return_counts=True)
            order = np.argsort(inverse, kind="stable")
        sums = counts.T[:, order] if len(clusters) == len(ids) else _summed(counts, inverse)
        gold = sums[list(metric.gold_columns)]
        if reference is None:
            agreed = _Reference(ids, clusters, inverse, sizes, order, gold, str(cell))
            self.references[item.target, item.language] = agreed
        else:
            _check_same_examples(reference, clusters, sizes, gold, where)
        group = (item.run_group,) if item.run_group else (str(cell.system.labels), item.target)
        self.rows[RunScore(cell, item.seed, item.domain, group, len(counts))] = (clusters, narrowest(sums))

    def _metric(self, target: str) -> SumScore:
        if target not in self.metrics:
            raise StatisticsError(
                f"target {target}: no metric; metrics are given for {', '.join(sorted(self.metrics)) or 'nothing'}",
                fix=f"add '{target}' to the metrics",
            )
        return self.metrics[target]

    def table(self) -> ScoreTable:
        """Sort the rows and put the clusters of each domain side by side."""
        if not self.rows:
            raise StatisticsError("no counts given: nothing to compare", fix="give at least one run")
        rows = tuple(sorted(self.rows, key=_row_order))
        scores = np.empty(len(rows))
        domains = []
        first = 0
        while first < len(rows):
            last = first
            while last < len(rows) and rows[last].domain == rows[first].domain:
                last += 1
            domain = self._domain(rows, first, last)
            _score_rows(domain, self.metrics, rows, scores)
            domains.append(domain)
            first = last
        cells: dict[ScoreCell, list[int]] = {}
        for index, row in enumerate(rows):
            cells.setdefault(row.cell, []).append(index)
        _check_seeds(rows, cells)
        systems = tuple(sorted({cell.system for cell in cells}, key=_system_order))
        by_cell = {cell: tuple(indices) for cell, indices in cells.items()}
        return ScoreTable(rows, tuple(domains), self.metrics, scores, by_cell, systems)

    def _domain(self, rows: tuple[RunScore, ...], first: int, last: int) -> Domain:
        members = rows[first:last]
        distinct = {id(clusters): clusters for clusters, _ in (self.rows[row] for row in members)}
        clusters = np.unique(np.concatenate(list(distinct.values())))
        positions = {key: np.searchsorted(clusters, present) for key, present in distinct.items()}
        blocks: list[Block] = []
        widths = [len(self.rows[row][1]) for row in members]
        kind = np.result_type(*{self.rows[row][1].dtype for row in members})
        sums = np.zeros((sum(widths), len(clusters)), dtype=kind)
        offset = 0
        for index, (row, width) in enumerate(zip(members, widths, strict=True), start=first):
            present, counts = self.rows[row]
            if len(present) == len(clusters):
                sums[offset : offset + width] = counts
            else:
                sums[offset : offset + width, positions[id(present)]] = counts
            offset += width
            if not blocks or blocks[-1].target != row.cell.target:
                blocks.append(Block(row.cell.target, index, index + 1, width))
                continue
            if blocks[-1].columns != width:
                raise StatisticsError(
                    f"{row.cell} seed {row.seed}: {width} count columns where others have {blocks[-1].columns}",
                    fix="score all runs of a target with the same metric",
                )
            blocks[-1] = Block(row.cell.target, blocks[-1].first, index + 1, width)
        return Domain(members[0].domain, tuple(clusters.tolist()), first, last, tuple(blocks), sums)


def _summed(counts: Floats, inverse: npt.NDArray[np.intp]) -> Floats:
    """Counts ``(examples, k)`` added up by cluster, shape ``(k, clusters)``."""
    return np.stack([np.bincount(inverse, weights=column) for column in counts.T])


def _score_rows(domain: Domain, metrics: Mapping[str, SumScore], rows: tuple[RunScore, ...], scores: Floats) -> None:
    """Fill in the points of a domain's rows from the column totals."""
    totals = domain.counts.sum(axis=1, dtype=np.float64)
    offset = 0
    for block in domain.blocks:
        width = (block.last - block.first) * block.columns
        sums = totals[offset : offset + width].reshape(-1, block.columns)
        scores[block.first : block.last] = metrics[block.target].score(sums)
        offset += width
    for index in range(domain.first, domain.last):
        if not np.isfinite(scores[index]):
            raise StatisticsError(
                f"{rows[index].cell} seed {rows[index].seed}: the metric is undefined on these counts",
                fix="leave the language out, or use a metric that defines the score of an empty gold set",
            )


def _checked_counts(values: npt.NDArray[np.integer] | npt.NDArray[np.floating], where: str) -> Floats:
    counts = np.asarray(values)
    if counts.ndim != 2 or counts.shape[0] == 0 or counts.shape[1] == 0:
        raise StatisticsError(
            f"{where}: counts of shape {counts.shape}; expected (examples, columns)", fix="give at least one example"
        )
    if np.issubdtype(counts.dtype, np.integer) and counts.min() >= 0:
        return counts.astype(np.float64)
    result = counts.astype(np.float64)
    if not np.isfinite(result).all() or (result < 0).any():
        raise StatisticsError(f"{where}: counts that are negative or not finite", fix="score this run again")
    return np.asarray(np.rint(result * _GRID) / _GRID)


def _check_same_examples(
    reference: _Reference,
    clusters: npt.NDArray[np.str_],
    sizes: npt.NDArray[np.intp],
    gold: Floats,
    where: str,
) -> None:
    same = reference.clusters is clusters or (
        np.array_equal(reference.clusters, clusters) and np.array_equal(reference.sizes, sizes)
    )
    if not same:
        raise StatisticsError(
            f"{where}: scored on other examples than {reference.first_system} "
            f"({int(sizes.sum())} examples in {len(clusters)} clusters against "
            f"{int(reference.sizes.sum())} in {len(reference.clusters)})",
            fix="predict both on the same data",
        )
    if not np.array_equal(reference.gold, gold):
        raise StatisticsError(
            f"{where}: gold counts differ from those of {reference.first_system}",
            fix="score both against the same gold data",
        )


def _check_seeds(rows: tuple[RunScore, ...], cells: Mapping[ScoreCell, list[int]]) -> None:
    for cell, indices in cells.items():
        if len(indices) > 1 and any(rows[index].seed is None for index in indices):
            raise StatisticsError(
                f"{cell}: one run without a seed beside others", fix="give each repetition its seed, or only one run"
            )


def _system_order(system: System) -> tuple[tuple[str, str], ...]:
    return tuple((name, repr(value)) for name, value in system.labels)


def _row_order(row: RunScore) -> tuple[object, ...]:
    return (row.domain, row.cell.target, row.cell.language, _system_order(row.cell.system), repr(row.seed))
