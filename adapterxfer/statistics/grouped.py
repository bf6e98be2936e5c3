"""Resampled sums of one domain, fast where many clusters have equal counts.

Drawing n clusters with replacement and adding up their counts depends on a cluster only through its counts. Clusters
with equal counts are therefore drawn as one group whose size is multinomial: the same distribution, and work that grows
with the number of different count vectors instead of clusters. Tagging test sets have 10,000 sentences and a few
hundred different (right, predicted, gold).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.products import CountMatrix
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
    found = [np.array([numbers.setdefault(name, len(numbers)) for name in part], dtype=np.intp) for part in names]
    return found, len(numbers)
