"""Training runs that are resampled like test items, and run variance that is borrowed from other systems.

With three or more runs per system the two-way variance needs neither. Two runs carry one degree of freedom per system:
resampling S - 1 of S runs is a second opinion. A single run carries none: its variance can only be borrowed from
systems that were repeated, under the assumption that seeds matter equally there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import Design, build_design, transform, transform_slope
from adapterxfer.statistics.engine import ReplicateValues, block_scores
from adapterxfer.statistics.influence import influence
from adapterxfer.statistics.intervals import Bounds, t_interval
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.products import CountMatrix
from adapterxfer.statistics.table import Cell, Domain, ScoreTable, System
from adapterxfer.statistics.variance import Components, components
from adapterxfer.statistics.vocabulary import WeightKind
from adapterxfer.statistics.weights import BLOCK, draw, random_bytes, stream


def replicate_runs(
    table: ScoreTable,
    contrasts: Sequence[Contrast],
    *,
    resamples: int = 10_000,
    seed: int,
    weights: WeightKind = "multinomial",
) -> ReplicateValues:
    """Resample test items and training runs together.

    Of S runs of a group, S - 1 are drawn with replacement, the same for every target and language they serve: the
    variance over runs is then unbiased, where S of S would be too small by (S - 1) / S. Groups with one run and
    what was never trained stay as they are. Test items are drawn as in `resample`, from the same streams.

    Args:
        contrasts: as in `resample`, but the cost grows with the number of rows of the table.

    Raises:
        StatisticsError: fewer than 2 resamples, or a contrast that the table cannot answer.

    Source: Rao and Wu 1988 for drawing one fewer; Owen and Eckles 2012 for products of weights.
    """
    if resamples < 2:
        raise StatisticsError(f"{resamples} resamples; at least 2 are needed", fix="set statistics.resamples to 10000")
    design = build_design(table, contrasts)
    draws = np.zeros((len(contrasts), resamples))
    factors = _run_factors(table, resamples, seed)
    for domain in table.domains:
        used = {scale: m[:, domain.first : domain.last] for scale, m in design.matrices.items()}
        if not any(matrix.nnz for matrix in used.values()):
            continue
        counts = CountMatrix(domain.counts)
        for number, start in enumerate(range(0, resamples, BLOCK)):
            stop = min(start + BLOCK, resamples)
            drawn = draw(weights, stream(seed, domain.name, number), clusters=len(domain.clusters))
            scores = block_scores(table, domain, drawn, counts)[: stop - start]
            weight = factors[domain.first : domain.last, start:stop]
            for scale, matrix in used.items():
                draws[:, start:stop] += matrix @ (transform(scores, scale).T * weight)
    values = design.apply(table.scores[None, :], 0, len(table.rows))[0]
    parts = components(table, contrasts, design)
    return ReplicateValues(tuple(contrasts), values, draws.T, parts, resamples, seed, weights)


def two_way_interval(resampled: ReplicateValues, number: int, *, level: float = 0.95) -> Bounds:
    """Interval over items and runs from `replicate_runs`: its standard error with Satterthwaite's degrees of freedom.

    Raises:
        StatisticsError: a system with a single run.
    """
    df = float(resampled.components.total_df[number])
    if math.isnan(df):
        raise StatisticsError(
            f"'{resampled.contrasts[number].name}': a single training run per system", fix="repeat with more seeds"
        )
    error = float(np.nanstd(resampled.replicates[:, number], ddof=1))
    return t_interval(float(resampled.values[number]), error, df, level=level)


def _run_factors(table: ScoreTable, resamples: int, seed: int) -> Floats:
    """What the weight of every row is multiplied by, shape ``(rows, resamples)``; the rows of a cell average to 1."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in table.rows:
        if row.seed is not None:
            groups.setdefault(row.group, []).append(repr(row.seed))
    factors = np.ones((len(table.rows), resamples))
    drawn = {group: _run_weights(group, sorted(set(seeds)), resamples, seed) for group, seeds in groups.items()}
    for number, row in enumerate(table.rows):
        if row.seed is not None:
            factors[number] = drawn[row.group][repr(row.seed)]
    for rows in table.cells.values():
        if len(rows) == 1:
            factors[list(rows)] = 1.0
            continue
        total = factors[list(rows)].sum(axis=0)
        kept = np.where(total > 0.0, len(rows) / np.where(total > 0.0, total, 1.0), 0.0)
        factors[list(rows)] = np.where(total > 0.0, factors[list(rows)] * kept, 1.0)
    return factors


def _run_weights(group: tuple[str, ...], seeds: Sequence[str], resamples: int, seed: int) -> dict[str, Floats]:
    """How often each run of a group is among S - 1 draws, by seed, each of shape ``(resamples,)``."""
    size = len(seeds)
    if size == 1:
        return {seeds[0]: np.ones(resamples)}
    words = random_bytes(stream(seed, "runs|" + "|".join(group), 0), 4 * resamples * (size - 1)).view("<u4")
    places = ((words.astype(np.uint64) * np.uint64(size)) >> np.uint64(32)).reshape(resamples, size - 1)
    return {name: (places == place).sum(axis=1).astype(np.float64) for place, name in enumerate(seeds)}


@dataclass(frozen=True, slots=True)
class PooledRuns:
    """Variance over items and runs with the run variance borrowed; arrays of shape ``(contrasts,)``.

    Attributes:
        total: NaN where no repeated system was scored on the same cells.
        df: Satterthwaite degrees of freedom.
        donors: smallest number of systems that lent their variance to a contrast.
    """

    total: Floats
    df: Floats
    donors: np.typing.NDArray[np.int64]


def pooled_runs(table: ScoreTable, contrasts: Sequence[Contrast], parts: Components) -> PooledRuns:
    """Borrow the run variance of every contrast from all repeated systems on the same targets and languages.

    For each trained model behind a contrast, its weights on (target, language) are applied to every system that has
    two or more runs on all of these; the variances over runs are averaged by degrees of freedom.

    Args:
        parts: components of the same contrasts.

    Source: Smyth 2004 for the idea of sharing variances. Valid only where seeds matter about equally.
    """
    design = build_design(table, contrasts)
    lenders = _Lenders(table)
    total, df = np.full(len(contrasts), np.nan), np.full(len(contrasts), np.nan)
    donors = np.zeros(len(contrasts), dtype=np.int64)
    for number, contrast in enumerate(contrasts):
        borrowed = [lenders.variance(places, contrast) for places in _models(table, design, contrast, number)]
        if not borrowed or any(found is None for found in borrowed):
            continue
        lent = [found for found in borrowed if found is not None]
        runs = sum(found.runs for found in lent)
        residual = sum(found.residual for found in lent)
        freedom = min(found.df for found in lent)
        items = float(parts.items[number])
        total[number] = max(items + runs - residual, items)
        spread = runs**2 / freedom + (items**2 / float(parts.items_df[number]) if items > 0.0 else 0.0)
        df[number] = total[number] ** 2 / spread if spread > 0.0 else math.inf
        donors[number] = min(found.systems for found in lent)
    return PooledRuns(total, df, donors)


@dataclass(frozen=True, slots=True)
class _Lent:
    runs: float
    residual: float
    df: float
    systems: int


_Places = tuple[tuple[tuple[str, str], float], ...]
"""Weights on (target, language)."""


def _models(table: ScoreTable, design: Design, contrast: Contrast, number: int) -> list[_Places]:
    """Weights on (target, language) of every trained model behind a contrast."""
    matrix = design.matrices[contrast.scale]
    part = slice(matrix.indptr[number], matrix.indptr[number + 1])
    models: dict[tuple[tuple[str, ...], str], dict[tuple[str, str], float]] = {}
    for index, weight in zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True):
        row = table.rows[index]
        if row.seed is None:
            continue
        places = models.setdefault((row.group, repr(row.seed)), {})
        place = (row.cell.target, row.cell.language)
        places[place] = places.get(place, 0.0) + weight
    return [tuple(sorted(places.items())) for places in models.values()]


class _Lenders:
    """Repeated systems of a table and the variances they lend."""

    def __init__(self, table: ScoreTable) -> None:
        self.table = table
        self.effects: dict[str, Floats] = {}
        self.known: dict[tuple[_Places, str], _Lent | None] = {}

    def variance(self, places: _Places, contrast: Contrast) -> _Lent | None:
        """Variance of one run's weighted score, pooled over systems; None where nobody can lend."""
        if (places, contrast.scale) not in self.known:
            self.known[places, contrast.scale] = self._pool(places, contrast)
        return self.known[places, contrast.scale]

    def _pool(self, places: _Places, contrast: Contrast) -> _Lent | None:
        squares = residual = freedom = 0.0
        systems = 0
        for system in self.table.systems:
            rows = self._rows(system, places)
            if len(rows) < 2:
                continue
            scores = transform(self.table.scores[np.array(rows)], contrast.scale)
            values = scores @ np.array([weight for _, weight in places])
            squares += float(((values - values.mean()) ** 2).sum())
            residual += self._residual(rows, places, contrast)
            freedom += len(rows) - 1
            systems += 1
        return _Lent(squares / freedom, residual / freedom, freedom, systems) if systems else None

    def _rows(self, system: System, places: _Places) -> list[list[int]]:
        """For every run that was scored in all places, its rows in their order."""
        by_place = []
        for (target, language), _ in places:
            rows = self.table.cells.get(Cell(system, target, language), ())
            by_place.append({repr(self.table.rows[r].seed): r for r in rows if self.table.rows[r].seed is not None})
        common = set.intersection(*(set(found) for found in by_place))
        return [[found[seed] for found in by_place] for seed in sorted(common)]

    def _residual(self, rows: list[list[int]], places: _Places, contrast: Contrast) -> float:
        """Squared run x item residuals of one system, summed over runs and clusters."""
        total = 0.0
        for domain in self.table.domains:
            chosen = [k for k in range(len(places)) if domain.first <= rows[0][k] < domain.last]
            if not chosen:
                continue
            effect = self._effect(domain)
            by_run = np.zeros((len(rows), len(domain.clusters)))
            for run, own in enumerate(rows):
                for k in chosen:
                    bend = transform_slope(self.table.scores[[own[k]]], contrast.scale)[0]
                    by_run[run] += places[k][1] * bend * effect[own[k] - domain.first]
            size = len(domain.clusters)
            total += float(((by_run - by_run.mean(axis=0)) ** 2).sum()) * size / max(size - 1, 1)
        return total

    def _effect(self, domain: Domain) -> Floats:
        if domain.name not in self.effects:
            rows = np.arange(domain.last - domain.first, dtype=np.intp)
            self.effects[domain.name] = influence(self.table, domain, rows)
        return self.effects[domain.name]
