"""Simultaneous rank intervals: which systems may be the best, instead of who has the bold number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import Replicates


@dataclass(frozen=True, slots=True)
class RankInterval:
    """Possible ranks of one system among those compared; 1 is the best.

    Attributes:
        name: of the contrast.
        value: its score.
        rank: place by value (ties share the better one).
        low, high: interval that holds for all systems together with the confidence asked for.
    """

    name: str
    value: float
    rank: int
    low: int
    high: int


def rank_intervals(
    replicates: Replicates, columns: Sequence[int] | None = None, *, level: float = 0.95
) -> tuple[RankInterval, ...]:
    """Ranks that cannot be excluded, from all pairwise differences with one max-T bound.

    A system's rank is at least 1 + the number of systems shown to be better, and at most the number of systems minus
    those shown to be worse.

    Args:
        columns: contrasts that are scores of competing systems (all when None).

    Raises:
        StatisticsError: fewer than 2 systems.

    Source: Mogstad, Romano, Shaikh and Wilhelm 2024.
    """
    chosen = list(range(len(replicates.contrasts))) if columns is None else list(columns)
    if len(chosen) < 2:
        raise StatisticsError("ranks of fewer than 2 systems", fix="compare at least two")
    values = replicates.values[chosen]
    deviations = replicates.replicates[:, chosen] - values
    defined = ~np.isnan(deviations).any(axis=1)
    if defined.sum() < 2:
        raise StatisticsError("ranks: the metric was undefined in every replicate", fix="use more test items")
    draws = deviations[defined]
    covariance = np.atleast_2d(np.cov(draws, rowvar=False))
    variances = np.diag(covariance)
    errors = np.sqrt(np.maximum(variances[:, None] + variances - 2.0 * covariance, 0.0))
    errors[errors < 1e-10 * np.maximum(1.0, np.abs(values).max())] = 0.0
    largest = np.zeros(len(draws))
    for first in range(len(chosen) - 1):
        others = slice(first + 1, len(chosen))
        error = errors[first, others]
        studentised = np.abs(draws[:, [first]] - draws[:, others]) / np.where(error > 0, error, np.inf)
        largest = np.maximum(largest, studentised.max(axis=1))
    largest = np.sort(np.concatenate([largest, np.full(int((~defined).sum()), np.inf)]))
    allowed = int(np.floor((1.0 - level) * (len(largest) + 1) + 1e-9)) - 1
    bound = largest[len(largest) - 1 - max(allowed, 0)]
    gaps = values[:, None] - values
    reach = np.where(errors > 0, errors * bound if np.isfinite(bound) else np.inf, 0.0)
    worse = gaps > reach + 1e-12
    return tuple(
        RankInterval(
            replicates.contrasts[column].name,
            float(values[position]),
            1 + int((values > values[position]).sum()),
            1 + int(worse[:, position].sum()),
            len(chosen) - int(worse[position].sum()),
        )
        for position, column in enumerate(chosen)
    )
