"""Resampled sums of one domain, fast where many clusters have equal counts.

Drawing n clusters with replacement and adding up their counts depends on a cluster only through its counts. Clusters
with equal counts are therefore drawn as one group whose size is multinomial: the same distribution, and work that grows
with the number of different count vectors instead of clusters. Tagging test sets have 10,000 sentences and a few
hundred different (right, predicted, gold).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import Bounds, interval, shift_p, t_interval, t_p
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.products import CountMatrix
from adapterxfer.statistics.thresholds import FEW_CLUSTERS, FEWEST_CLUSTERS, NOISE
from adapterxfer.statistics.weights import BLOCK, draw, stream

_GROUPED_BELOW = 0.2
"""Groups per cluster below which drawing groups is faster than drawing clusters (measured: about 0.25)."""


def cluster_sums(counts: Floats, clusters: npt.NDArray[np.integer], number: int) -> Floats:
    """Counts added up by cluster, shape ``(number, columns)``.

    Args:
        counts: shape ``(examples, columns)``.
        clusters: cluster of each example, from 0.
        number: how many clusters there are.
    """
    return np.stack([np.bincount(clusters, weights=column, minlength=number) for column in counts.T], axis=1)


def resample_sums(sums: Floats, *, resamples: int, seed: int, name: str) -> Floats:
    """Column sums of resampled clusters.

    Args:
        sums: counts of each cluster, shape ``(clusters, columns)``.
        resamples: how often.
        seed: any non-negative integer.
        name: of the domain; with the seed it decides the draws.

    Returns:
        Shape ``(resamples, columns)``. The draws of groups follow numpy's multinomial, so unlike those of `resample`
        they may differ between numpy versions.

    Raises:
        StatisticsError: there is nothing to resample.
    """
    if not len(sums) or resamples < 2:
        raise StatisticsError(f"{name}: {len(sums)} clusters, {resamples} resamples", fix="give at least 1 and 2")
    groups, sizes = _groups(sums)
    if len(groups) < _GROUPED_BELOW * len(sums):
        rng = stream(seed, name, 0)
        result = np.empty((resamples, sums.shape[1]))
        for start in range(0, resamples, BLOCK):
            stop = min(start + BLOCK, resamples)
            weights = rng.multinomial(len(sums), sizes / len(sums), size=stop - start)
            result[start:stop] = weights.astype(np.float64) @ groups
        return result
    counts = CountMatrix(sums.T)
    blocks = []
    for number in range(-(-resamples // BLOCK)):
        drawn = draw("multinomial", stream(seed, name, number), clusters=len(sums))
        blocks.append(counts.product(drawn.multiples, drawn.largest_total))
    return np.concatenate(blocks)[:resamples]


class Resampled(NamedTuple):
    """Ends of an interval and the p-value of "the true value is 0"; None with fewer than 10 clusters."""

    low: float
    high: float
    p: float | None


def resampled_interval(value: float, draws: Floats, clusters: int, *, reach: Bounds, level: float = 0.95) -> Resampled:
    """Interval and p-value of a number from its replicates, by the rule of `estimates` for the number of clusters.

    Symmetric bootstrap and null shift; below 40 clusters a t interval and t test with the clusters' degrees of freedom,
    below 10 no p-value, and with a single cluster nothing is known but what scores can reach.

    Args:
        draws: replicates, shape ``(resamples,)``.
        clusters: of test items, over all domains.
        reach: values that are possible at all; no interval goes beyond.
    """
    if clusters >= FEW_CLUSTERS:
        bounds, p = interval(draws, value, kind="symmetric", level=level), shift_p(draws, value)
        return Resampled(max(bounds.low, reach.low), min(bounds.high, reach.high), p)
    # the bootstrap variance divides by n, the t interval needs n - 1
    error = float(np.nanstd(draws)) * math.sqrt(clusters / max(clusters - 1, 1))
    if clusters < FEWEST_CLUSTERS and error <= NOISE * max(1.0, abs(value)):
        return Resampled(*reach, None)
    bounds = t_interval(value, error, clusters - 1.0, level=level)
    p_value = None if clusters < FEWEST_CLUSTERS else t_p(value, error, clusters - 1.0)
    return Resampled(max(bounds.low, reach.low), min(bounds.high, reach.high), p_value)


def _groups(sums: Floats) -> tuple[Floats, Floats]:
    """Different rows, sorted, and how often each occurs."""
    order = np.lexsort(sums.T[::-1])
    rows = sums[order]
    new = np.concatenate(([True], (rows[1:] != rows[:-1]).any(axis=1)))
    places = np.flatnonzero(new)
    return rows[places], np.diff(np.append(places, len(rows))).astype(np.float64)


def domain_clusters(names: Sequence[Sequence[str]]) -> tuple[list[npt.NDArray[np.intp]], int]:
    """Numbers of named clusters of several languages, and how many different ones there are."""
    numbers: dict[str, int] = {}
    by_language = [
        np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.intp) for clusters in names
    ]
    return by_language, len(numbers)
