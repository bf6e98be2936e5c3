"""Almost stochastic order: how nearly every run of one system is at least as good as a run of another.

Optional, and weak with few runs: the bootstrap of five scores knows five values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import t_quantile
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.weights import random_bytes, stream

FEW_RUNS = 10
_POINTS = 1000
"""The quantile functions are compared at 0.001, 0.002, ..., 0.999."""


@dataclass(frozen=True, slots=True)
class StochasticOrder:
    """How much a claim "the first is stochastically larger" is violated.

    Attributes:
        violation: share of the squared distance between the quantile functions on which the second is larger:
            0 when the first dominates, 1 when the second does, 0.5 for equal samples.
        upper: upper confidence bound of it; below 0.5 the first is almost stochastically larger.
        level: confidence of the bound, after the correction for several comparisons.
        few_runs: fewer than 10 runs on a side, where the bound covers badly.
    """

    violation: float
    upper: float
    level: float
    few_runs: bool


def almost_stochastic_order(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    *,
    comparisons: int = 1,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int,
) -> StochasticOrder:
    """Compare the distributions of two sets of runs.

    Args:
        first, second: scores of single runs, any numbers of them.
        comparisons: how many comparisons are made together; the error ``1 - level`` is divided by it (Bonferroni), so
            that more comparisons are stricter.

    Raises:
        StatisticsError: a side with fewer than two runs, or no comparison.

    Source: del Barrio et al. 2018; Dror et al. 2019. Differs from deepsig 1.2 in the correction: it adds
    ``(1 - level) / comparisons`` to the level, which is laxer the more comparisons there are.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if min(len(x), len(y)) < 2 or comparisons < 1:
        raise StatisticsError(f"stochastic order of {len(x)} and {len(y)} runs", fix="give at least two runs each")
    drawn = [values[_indices(seed, name, resamples, len(values))] for name, values in (("first", x), ("second", y))]
    observed = float(violation_ratio(x[None], y[None])[0])
    corrected = 1.0 - (1.0 - level) / comparisons
    upper = upper_bound(observed, violation_ratio(*drawn), level=corrected)
    return StochasticOrder(observed, upper, corrected, min(len(x), len(y)) < FEW_RUNS)


def violation_ratio(first: Floats, second: Floats) -> Floats:
    """Violation of "first is larger" for many pairs of samples at once, shapes ``(pairs, runs)``.

    Source: Dror et al. 2019, equation 4. As in deepsig the first grid point does not count as a violation.
    """
    grid = np.arange(1.0 / _POINTS, 1.0, 1.0 / _POINTS)
    gaps = _quantiles(second, grid) - _quantiles(first, grid)
    squares = gaps**2 * (1.0 / _POINTS)
    distance = np.ascontiguousarray(squares).sum(axis=1)
    squares[gaps <= 0.0] = 0.0
    violated = np.ascontiguousarray(squares[:, 1:]).sum(axis=1)
    return np.where(distance > 0.0, violated / np.where(distance > 0.0, distance, 1.0), 0.5)


def upper_bound(observed: float, replicates: Floats, *, level: float) -> float:
    """Normal upper bound of a violation ratio from its bootstrap replicates, in [0, 1]."""
    error = float(np.sqrt(np.mean((replicates - replicates.mean()) ** 2)))
    return float(np.clip(observed - error * t_quantile(1.0 - level, np.inf), 0.0, 1.0))


def _quantiles(samples: Floats, grid: Floats) -> Floats:
    places = np.clip(np.ceil(samples.shape[1] * grid).astype(np.intp) - 1, 0, samples.shape[1] - 1)
    return np.asarray(np.sort(samples, axis=1)[:, places])


def _indices(seed: int, name: str, resamples: int, runs: int) -> np.typing.NDArray[np.intp]:
    words = random_bytes(stream(seed, f"stochastic order {name}", 0), 4 * resamples * runs).view("<u4")
    return (words.astype(np.uint64) * np.uint64(runs) >> np.uint64(32)).astype(np.intp).reshape(resamples, runs)
