"""Sizes of effects in other units, for readers who think in odds, errors, or shares of a gain that is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import ReplicateValues
from adapterxfer.statistics.intervals import t_quantile


def odds_ratio(only_first: int, only_second: int) -> float:
    """Odds of the first system on the items on which two accuracies differ; half an item is added to each count.

    Raises:
        StatisticsError: a negative count.
    """
    if min(only_first, only_second) < 0:
        raise StatisticsError("odds ratio: a negative count", fix="give how often only one of the two is right")
    return (only_first + 0.5) / (only_second + 0.5)


def cohen_h(first_points: float, second_points: float) -> float:
    """Difference of two proportions in points on the arcsine scale; 0.2 is often called small.

    Raises:
        StatisticsError: points outside [0, 100].

    Source: Cohen 1988, section 6.2.
    """
    for points in (first_points, second_points):
        if not 0.0 <= points <= 100.0:
            raise StatisticsError(f"Cohen's h of {points} points; expected 0 to 100", fix="give scores in points")
    return 2.0 * (math.asin(math.sqrt(first_points / 100.0)) - math.asin(math.sqrt(second_points / 100.0)))


@dataclass(frozen=True, slots=True)
class RetainedShare:
    """How much of a gain another method keeps: the ratio of two gains.

    Attributes:
        share: None where the gain in the denominator is not clearly different from 0: the ratio means nothing then.
        low, high: Fieller's interval; None like `share`.
        reason: why there is none, else empty.
    """

    share: float | None
    low: float | None
    high: float | None
    reason: str = ""


def retained_share(replicates: ReplicateValues, kept: int, whole: int, *, level: float = 0.95) -> RetainedShare:
    """Ratio of contrast `kept` (an adapter's gain) to contrast `whole` (full fine-tuning's), over new test items.

    Source: Fieller 1954, with the joint covariance of both from the same replicates.
    """
    top, bottom = float(replicates.values[kept]), float(replicates.values[whole])
    x = replicates.replicates[:, kept] - replicates.replicates[:, kept].mean()
    y = replicates.replicates[:, whole] - replicates.replicates[:, whole].mean()
    size = replicates.resamples - 1
    v_top, v_bottom, shared = float(x @ x) / size, float(y @ y) / size, float(x @ y) / size
    squared = t_quantile(1.0 - (1.0 - level) / 2.0, math.inf) ** 2
    leading = bottom**2 - squared * v_bottom
    if not leading > 0.0:
        return RetainedShare(None, None, None, "the interval of the whole gain includes 0")
    middle = top * bottom - squared * shared
    root = math.sqrt(max(middle**2 - leading * (top**2 - squared * v_top), 0.0))
    return RetainedShare(top / bottom, (middle - root) / leading, (middle + root) / leading)
