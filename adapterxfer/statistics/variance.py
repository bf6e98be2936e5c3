"""Analytic variances of contrasts: test items, training runs, and both (two-way cluster variance).

Linearising the metric gives every cluster an influence value, so the variance over test items is a sum of squares. The
variance over runs comes from the repetitions of each system. Both contain the run x item residual, which is subtracted
once; neither alone expects more than the whole, so V = max(V_items + V_runs - V_residual, V_items, V_runs). A few runs
whose errors happen to cancel on every item (three models that always give the same answer, each another one) would
otherwise have hardly any variance, with next to no degrees of freedom.

Source: Cameron, Gelbach and Miller 2011 for the two-way sum; `freedom.py` for the degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import Design, transform
from adapterxfer.statistics.freedom import joint_df
from adapterxfer.statistics.influence import LARGEST, Effects
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.models import RunPart, TrainedModels
from adapterxfer.statistics.table import Domain, ScoreTable
from adapterxfer.statistics.thresholds import NOISE


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of contrasts by source; every array has shape ``(contrasts,)``.

    Attributes:
        items: new test items, same models.
        runs: new training runs, same items; NaN where some system has a single run.
        residual: run x item; NaN like `runs`.
        total: items and runs together; NaN like `runs`.
        items_df: Satterthwaite degrees of freedom of `items`.
        total_df: of `total`, by `freedom.joint_df`; NaN like `runs`.
        clusters: clusters of test items with any count, over all domains.
        discordant: clusters in which the systems differ; equal to `clusters` where weights do not sum to 0.
        fewest_runs: smallest number of runs among the systems (0 when nothing was trained).
        most_runs: the largest.
        unequal_seeds: systems of one run group have different seeds.
        groups: for every contrast, what each of its run groups adds to `runs`.
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
    groups: tuple[tuple[RunPart, ...], ...] = ()


def components(table: ScoreTable, contrasts: Sequence[Contrast], design: Design) -> Components:
    """Variances of all contrasts."""
    count = len(contrasts)
    models = TrainedModels.of(table, design, count)
    items, items_squared = np.zeros(count), np.zeros(count)
    clusters, discordant = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    residual = np.zeros(len(models.pairs))
    deviation = np.zeros(len(models.pairs))
    for domain in table.domains:
        sums = _domain(table, domain, design, models)
        items += sums.items
        items_squared += sums.items**2 / max(len(domain.clusters) - 1, 1)
        clusters += sums.clusters
        discordant += sums.discordant
        residual += sums.residual
        deviation += sums.deviation
    centred = np.array([abs(sum(c.terms.values())) < 1e-9 for c in contrasts])
    scale = np.maximum(1.0, np.abs(design.apply(table.scores[None, :], 0, len(table.rows))[0])) ** 2
    by_group = models.variances(deviation, residual)
    runs, residual = by_group.runs, by_group.residual
    negligible = NOISE**2 * scale
    items = np.where(items < negligible, 0.0, items)
    with np.errstate(divide="ignore", invalid="ignore"):
        items_df = np.where(items > 0, items**2 / items_squared, np.inf)
    total = two_way(items, runs, residual)
    total = np.where(total < negligible, 0.0, total)
    return Components(
        items=items,
        runs=runs,
        residual=residual,
        total=total,
        items_df=items_df,
        total_df=joint_df(total, items_df, np.where(runs < negligible, 0.0, runs), by_group.runs_df),
        clusters=clusters,
        discordant=np.where(centred, discordant, clusters),
        fewest_runs=by_group.fewest,
        most_runs=by_group.most,
        unequal_seeds=by_group.unequal,
        groups=by_group.groups,
    )


def two_way(items: Floats, runs: Floats, residual: Floats) -> Floats:
    """Variance over items and runs from those over each and the residual that both contain; NaN where runs are."""
    return np.asarray(np.maximum(items + runs - residual, np.maximum(items, runs)))


class _DomainPart(NamedTuple):
    items: Floats
    clusters: npt.NDArray[np.int64]
    discordant: npt.NDArray[np.int64]
    residual: Floats
    deviation: Floats


def _domain(table: ScoreTable, domain: Domain, design: Design, runs: TrainedModels) -> _DomainPart:
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
    whole = Effects(table, domain, rows)
    for scale, matrix in zip(design.matrices, here, strict=True):
        weights = matrix[:, rows]
        if not weights.nnz:
            continue
        models = runs.matrices[scale][:, domain.first + rows]
        apart = not models.nnz and weights.nnz <= 2 * len(rows)
        for numbers in _parts(np.flatnonzero(np.diff(weights.indptr)), number):
            chosen, effects = weights[numbers], whole
            if apart:  # every row belongs to about one contrast: only a few at a time, which stay in the cache
                needed = np.unique(chosen.indices)
                chosen, effects = chosen[:, needed], Effects(table, domain, rows[needed])
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


def _parts(numbers: npt.NDArray[np.intp], width: int) -> Iterator[npt.NDArray[np.intp]]:
    """Pieces of ``numbers`` that keep ``piece x width`` floats small."""
    step = max(1, LARGEST // max(width, 1))
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
