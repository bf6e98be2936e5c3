"""Statements over a set of languages or runs: in how many does the effect hold, and how often does one run win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats


@dataclass(frozen=True, slots=True)
class PartialConjunction:
    """In at least how many of the languages an effect holds.

    Attributes:
        p: ``p[k - 1]`` is the p-value of "the effect holds in fewer than k languages", k = 1 ... n, not decreasing.
        at_least: the largest k shown at level ``alpha``: a lower bound with confidence ``1 - alpha``.
        alpha: error rate.
    """

    p: tuple[float, ...]
    at_least: int
    alpha: float


def partial_conjunction(
    p_values: Sequence[float] | Floats, *, dependent: bool = True, alpha: float = 0.05
) -> PartialConjunction:
    """Test "in at least k of n languages" for every k.

    Args:
        p_values: one per language.
        dependent: parallel languages share their items, so p-values are dependent: Bonferroni's combination. Fisher's
            is for languages with items of their own.

    Raises:
        StatisticsError: no p-values, or values outside [0, 1].

    Source: Benjamini and Heller 2008; Dror et al. 2017 for its use over data sets.
    """
    values = np.sort(np.asarray(p_values, dtype=np.float64))
    count = len(values)
    if not count or not ((values >= 0.0) & (values <= 1.0)).all():
        raise StatisticsError("partial conjunction: needs p-values in [0, 1]", fix="leave languages without one out")
    combined = []
    for first in range(count):
        rest = values[first:]
        if dependent:
            combined.append(min(1.0, len(rest) * float(rest[0])))
        else:
            statistic = -2.0 * float(np.log(np.maximum(rest, 1e-300)).sum())
            combined.append(float(special.chdtrc(2 * len(rest), statistic)))
    monotone = np.maximum.accumulate(combined)
    return PartialConjunction(tuple(monotone.tolist()), int((monotone <= alpha).sum()), alpha)
