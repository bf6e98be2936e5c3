"""The trained models behind contrasts, and how much their runs vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.statistics.design import Design
from adapterxfer.statistics.freedom import pooled_df
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import RunScore, ScoreTable
from adapterxfer.statistics.vocabulary import Scale


class RunPart(NamedTuple):
    """What the runs of one group add to the variance of one contrast.

    Attributes:
        group: the run group; a backbone in a study.
        variance: over new training runs, same items; NaN with a single run.
        runs: how many there are.
    """

    group: tuple[str, ...]
    variance: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVariances:
    """What runs add to the variance of contrasts; every array has shape ``(contrasts,)``.

    Attributes:
        runs: new training runs, same items; NaN where some system has a single run.
        runs_df: degrees of freedom of `runs`, in each group one fewer than runs; infinite where nothing
            varies.
        residual: run x item; NaN like `runs`.
        fewest: smallest number of runs among the systems (0 when nothing was trained).
        most: the largest.
        unequal: systems of one run group have different seeds.
        groups: for every contrast, its run groups one by one.
    """

    runs: Floats
    runs_df: Floats
    residual: Floats
    fewest: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]
    unequal: npt.NDArray[np.bool_]
    groups: tuple[tuple[RunPart, ...], ...]


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """Trained models behind contrasts.

    Attributes:
        pairs: (contrast, run group, seed), one per trained model and contrast.
        matrices: scale -> CSR ``(pairs, rows)``: the contrast's weights on the rows of that model.
        averaging: CSR ``(rows, rows)``; ``averaging @ scores`` is each row's mean over the runs of its cell.
        seeds: per contrast and group, the seeds of each of its cells.
        averaged: per contrast and group, over how many runs `averaging` averages, at least.
    """

    pairs: tuple[tuple[int, tuple[str, ...], str], ...]
    matrices: dict[Scale, Any]
    averaging: Any
    seeds: dict[tuple[int, tuple[str, ...]], tuple[frozenset[str], ...]]
    averaged: dict[tuple[int, tuple[str, ...]], int]
    contrasts: int

    @classmethod
    def of(cls, table: ScoreTable, design: Design, contrasts: int) -> TrainedModels:
        """Those that the contrasts of a design weigh; `contrasts` is their number."""
        numbers: dict[tuple[int, tuple[str, ...], str], int] = {}
        seeds: dict[tuple[int, tuple[str, ...]], dict[object, set[str]]] = {}
        averaged: dict[tuple[int, tuple[str, ...]], int] = {}
        matrices: dict[Scale, Any] = {}
        entries: dict[Scale, tuple[list[int], list[int], list[float]]] = {}
        for scale, matrix in design.matrices.items():
            pairs, rows, weights = entries.setdefault(scale, ([], [], []))
            coordinates = matrix.tocoo()
            for contrast, index, weight in zip(
                coordinates.row.tolist(), coordinates.col.tolist(), coordinates.data.tolist(), strict=True
            ):
                row: RunScore = table.rows[index]
                if row.seed is None:
                    continue
                pair = (contrast, row.group, repr(row.seed))
                pairs.append(numbers.setdefault(pair, len(numbers)))
                rows.append(index)
                weights.append(weight)
                seeds.setdefault((contrast, row.group), {}).setdefault(row.cell, set()).add(repr(row.seed))
                known = averaged.setdefault((contrast, row.group), len(table.cells[row.cell]))
                averaged[contrast, row.group] = min(known, len(table.cells[row.cell]))
        for scale, (pairs, rows, weights) in entries.items():
            matrices[scale] = sparse.csr_array((weights, (pairs, rows)), shape=(len(numbers), len(table.rows)))
        groups = {key: tuple(frozenset(s) for s in by_cell.values()) for key, by_cell in seeds.items()}
        return cls(tuple(numbers), matrices, _averaging(table), groups, averaged, contrasts)

    def variances(self, deviation: Floats, residual: Floats) -> RunVariances:
        """Variance over runs and over run x item, per contrast, from the sums per trained model."""
        rest = np.zeros(self.contrasts)
        groups: list[list[RunPart]] = [[] for _ in range(self.contrasts)]
        fewest = np.full(self.contrasts, np.iinfo(np.int64).max)
        most, unequal = np.zeros(self.contrasts, dtype=np.int64), np.zeros(self.contrasts, dtype=bool)
        sums: dict[tuple[int, tuple[str, ...]], list[tuple[float, float]]] = {}
        for (contrast, group, _), moved, left in zip(self.pairs, deviation.tolist(), residual.tolist(), strict=True):
            sums.setdefault((contrast, group), []).append((moved, left))
        for (contrast, group), by_seed in sums.items():
            # Deviations are from the mean over all runs of a cell; a contrast of some of them has another mean.
            mean = sum(moved for moved, _ in by_seed) / len(by_seed)
            moved_squared = sum((moved - mean) ** 2 for moved, _ in by_seed)
            whole = self.averaged[contrast, group]
            left = sum(rest_of_run for _, rest_of_run in by_seed) * whole / max(whole - 1, 1)
            by_cell = self.seeds[contrast, group]
            size = min(len(seeds) for seeds in by_cell)
            fewest[contrast] = min(fewest[contrast], size)
            most[contrast] = max(most[contrast], *(len(seeds) for seeds in by_cell))
            unequal[contrast] |= len(set(by_cell)) > 1
            factor = size / (size - 1) if size > 1 else np.nan
            groups[contrast].append(RunPart(group, factor * moved_squared, size))
            rest[contrast] += left if size > 1 else np.nan
        fewest[most == 0] = 0
        runs = np.array([sum(group.variance for group in parts) for parts in groups], dtype=np.float64)
        runs_df = np.array([pooled_df([(group.variance, group.runs - 1.0) for group in parts]) for parts in groups])
        return RunVariances(
            runs=runs,
            runs_df=runs_df,
            residual=rest,
            fewest=fewest,
            most=most,
            unequal=unequal,
            groups=tuple(map(tuple, groups)),
        )


def _averaging(table: ScoreTable) -> Any:
    rows, columns, weights = [], [], []
    for indices in table.cells.values():
        for row in indices:
            for column in indices:
                rows.append(row)
                columns.append(column)
                weights.append(1.0 / len(indices))
    return sparse.csr_array((weights, (rows, columns)), shape=(len(table.rows), len(table.rows)))
