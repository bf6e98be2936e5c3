"""The data model: counts of every run on every (target, language), aggregated to clusters, grouped by domain.

A *domain* is a set of clusters that is resampled together. Targets with parallel example ids are one domain over all
their languages, so that a cluster has the same weight in every language and every system; other targets have one
domain per language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats, Metric, ScoreFunction, as_metric

Label = str | int | float | None

_GRID = float(2**30)
"""Fractional counts are rounded to multiples of 2**-30, so that their sums are exact in float64 in any order."""


@dataclass(frozen=True, slots=True)
class System:
    """What was trained, as sorted labels: backbone, variant, adapter, intermediate, ... but never the seed."""

    labels: tuple[tuple[str, Label], ...]

    @classmethod
    def of(cls, labels: Mapping[str, Label]) -> System:
        """Labels in any order."""
        return cls(tuple(sorted(labels.items())))

    def __getitem__(self, name: str) -> Label:
        return dict(self.labels)[name]

    def get(self, name: str, default: Label = None) -> Label:
        """The label, or ``default``."""
        return dict(self.labels).get(name, default)

    def replace(self, **labels: Label) -> System:
        """The same system with some labels changed, e.g. ``system.replace(intermediate="none")``."""
        return System.of({**dict(self.labels), **labels})

    def matches(self, labels: Mapping[str, Label]) -> bool:
        """True if every given label has the given value."""
        own = dict(self.labels)
        return all(name in own and own[name] == value for name, value in labels.items())

    def __str__(self) -> str:
        return " ".join(str(value) for _, value in self.labels)


@dataclass(frozen=True, slots=True)
class Cell:
    """One system's score on one language of one target: the mean over its training runs. The atom of contrasts."""

    system: System
    target: str
    language: str

    def __str__(self) -> str:
        return f"{self.system} {self.target}/{self.language}"


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Per-example counts of one training run on one (target, language): what callers provide.

    Attributes:
        system: labels of the system (without the seed).
        seed: which repetition; None for something that was not trained and cannot vary (a control, a backbone
            as it is), which then adds no run variance.
        target: name of the target task; it selects the metric.
        language: language code.
        domain: name of the resampling domain: ``target`` if its ids are parallel, else ``target/language``.
        cluster_ids: shape ``(n,)``, one per example; equal ids are drawn together.
        counts: shape ``(n, k)``, integers, or floats for fractional counts such as QA F1.
        run_group: runs of one group that differ only by seed are exchangeable, and all rows with the same group and
            seed are one trained model with one weight. Defaults to (system, target). Give a wider group where one
            trained model (a shared intermediate adapter, a retrieval model) serves several targets or systems.
    """

    system: Mapping[str, Label]
    seed: int | str | None
    target: str
    language: str
    domain: str
    cluster_ids: Sequence[str] | npt.NDArray[np.str_]
    counts: npt.NDArray[np.integer] | npt.NDArray[np.floating]
    run_group: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One training run on one (target, language); rows are sorted, so their order never depends on the input's."""

    cell: Cell
    seed: int | str | None
    domain: str
    group: tuple[str, ...]
    examples: int


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one target inside a domain: rows ``first:last`` of the table, k count columns each."""

    target: str
    first: int
    last: int
    columns: int


@dataclass(frozen=True, slots=True)
class Domain:
    """Clusters that are resampled together.

    Attributes:
        clusters: sorted cluster ids.
        first, last: its rows in the table.
        blocks: its rows by target.
        sums: float64 ``(clusters, columns)``, the columns of all blocks side by side, each row's k columns together.
    """

    name: str
    clusters: tuple[str, ...]
    first: int
    last: int
    blocks: tuple[Block, ...]
    sums: Floats


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """All counts of a study, ready to be resampled.

    Attributes:
        rows: sorted by domain, target, language, system, seed.
        domains: in the order of their rows.
        metrics: target -> metric.
        scores: shape ``(rows,)``, points of each row on the full data.
        cells: cell -> indices of its rows (one per seed).
    """

    rows: tuple[Row, ...]
    domains: tuple[Domain, ...]
    metrics: Mapping[str, Metric]
    scores: Floats
    cells: Mapping[Cell, tuple[int, ...]] = field(repr=False)

    @property
    def systems(self) -> tuple[System, ...]:
        """Every system, sorted."""
        return tuple(sorted({cell.system for cell in self.cells}, key=_system_order))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target, sorted."""
        return tuple(sorted({cell.target for cell in self.cells}))

    def find(self, **labels: Label) -> tuple[System, ...]:
        """Systems whose labels have the given values, e.g. ``table.find(backbone="tiny-2", variant="stack")``."""
        return tuple(system for system in self.systems if system.matches(labels))

    def languages(self, target: str, system: System | None = None) -> tuple[str, ...]:
        """Languages of a target (that the system was scored in), sorted."""
        return tuple(
            sorted({c.language for c in self.cells if c.target == target and (system is None or c.system == system)})
        )

    def seeds(self, cell: Cell) -> tuple[int | str | None, ...]:
        """Seeds of the runs behind a cell."""
        return tuple(self.rows[index].seed for index in self.cells[cell])

    def score(self, cell: Cell) -> float:
        """Points of a cell: the mean over its runs."""
        return float(self.scores[list(self.cells[cell])].mean())


def build_table(cells: Iterable[CellCounts], metrics: Mapping[str, Metric | ScoreFunction]) -> ScoreTable:
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
    gold: Floats
    first_system: str


class _Collector:
    """Checks and aggregates one item after the other, then lays out the domains."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = metrics
        self.references: dict[tuple[str, str], _Reference] = {}
        self.rows: dict[Row, tuple[npt.NDArray[np.str_], Floats]] = {}
        self.seen: set[tuple[Cell, int | str | None]] = set()

    def add(self, item: CellCounts) -> None:
        """Check one item and keep its counts by cluster."""
        cell = Cell(System.of(item.system), item.target, item.language)
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
        if reference is not None and np.array_equal(reference.ids, ids):
            clusters, inverse, sizes = reference.clusters, reference.inverse, reference.sizes
        else:
            clusters, inverse, sizes = np.unique(ids, return_inverse=True, return_counts=True)
        sums = np.empty((len(clusters), counts.shape[1]))
        for column in range(counts.shape[1]):
            sums[:, column] = np.bincount(inverse, weights=counts[:, column], minlength=len(clusters))
        gold = sums[:, list(metric.gold_columns)]
        if reference is None:
            self.references[item.target, item.language] = _Reference(ids, clusters, inverse, sizes, gold, str(cell))
        else:
            _check_same_examples(reference, clusters, sizes, gold, where)
        group = (item.run_group,) if item.run_group else (str(cell.system.labels), item.target)
        self.rows[Row(cell, item.seed, item.domain, group, len(counts))] = (clusters, sums)

    def _metric(self, target: str) -> Metric:
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
        cells: dict[Cell, list[int]] = {}
        for index, row in enumerate(rows):
            cells.setdefault(row.cell, []).append(index)
        _check_seeds(rows, cells)
        return ScoreTable(rows, tuple(domains), self.metrics, scores, {c: tuple(i) for c, i in cells.items()})

    def _domain(self, rows: tuple[Row, ...], first: int, last: int) -> Domain:
        members = rows[first:last]
        distinct = {id(clusters): clusters for clusters, _ in (self.rows[row] for row in members)}
        clusters = np.unique(np.concatenate(list(distinct.values())))
        positions = {key: np.searchsorted(clusters, own) for key, own in distinct.items()}
        blocks: list[Block] = []
        widths = [self.rows[row][1].shape[1] for row in members]
        sums = np.zeros((len(clusters), sum(widths)))
        offset = 0
        for index, (row, width) in enumerate(zip(members, widths, strict=True), start=first):
            own, counts = self.rows[row]
            sums[positions[id(own)], offset : offset + width] = counts
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


def _score_rows(domain: Domain, metrics: Mapping[str, Metric], rows: tuple[Row, ...], scores: Floats) -> None:
    """Fill in the points of a domain's rows from the column totals."""
    totals = domain.sums.sum(axis=0)
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
    same = np.array_equal(reference.clusters, clusters) and np.array_equal(reference.sizes, sizes)
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


def _check_seeds(rows: tuple[Row, ...], cells: Mapping[Cell, list[int]]) -> None:
    for cell, indices in cells.items():
        if len(indices) > 1 and any(rows[index].seed is None for index in indices):
            raise StatisticsError(
                f"{cell}: one run without a seed beside others", fix="give each repetition its seed, or only one run"
            )


def _system_order(system: System) -> tuple[tuple[str, str], ...]:
    return tuple((name, repr(value)) for name, value in system.labels)


def _row_order(row: Row) -> tuple[object, ...]:
    return (row.domain, row.cell.target, row.cell.language, _system_order(row.cell.system), repr(row.seed))
