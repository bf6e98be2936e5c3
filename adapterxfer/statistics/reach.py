"""How far a weighted sum of scores can go: where intervals end, because nothing lies beyond.

Two scores from 0 to 100 differ by at most 100 points, but a gain minus another gain can be 200, a difference of two
correlations as well, and a slope per tenfold parameters as much as its weights allow. Every contrast therefore has ends
of its own; without any, an interval with one degree of freedom would name hundreds of points that cannot occur.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import transform
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.metric import SumScore
from adapterxfer.statistics.thresholds import BEST_SCORE


def reach_of(contrast: Contrast, metrics: Mapping[str, SumScore]) -> Bounds:
    """The smallest and the largest value that a contrast can take, on its scale.

    Each cell by itself can have any score from its metric's lowest to 100, so the smallest value has the worst score
    wherever the weight is positive and the best one wherever it is negative.

    Args:
        metrics: target -> metric; one that is not among them scores from 0 to 100.
    """
    signs: dict[str, tuple[list[float], list[float]]] = {}
    for cell, weight in contrast.terms.items():
        signs.setdefault(cell.target, ([], []))[weight < 0.0].append(weight)
    low, high = 0.0, 0.0
    for target, weights in signs.items():
        lowest = metrics[target].lowest if target in metrics else 0.0
        worst, best = sorted(transform(np.array([lowest, BEST_SCORE]), contrast.scale).tolist())
        positive, negative = map(math.fsum, weights)
        low += positive * worst + negative * best
        high += positive * best + negative * worst
    return Bounds(low, high)


def within(low: float, high: float, reach: Bounds) -> Bounds:
    """An interval without the part that cannot occur."""
    return Bounds(max(low, reach.low), min(high, reach.high))
