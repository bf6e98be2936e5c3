"""Training runs that each drew their few examples several times: one run's draws are averaged, and how they vary.

Draws are nested in runs: no two runs share one, so runs stay exchangeable and independent, and the variance over runs
already carries the draws: of a mean over S runs with D draws each it is (seed + draw / D) / S, with S - 1 degrees of
freedom whatever D. Draws that all runs share would have to be tested with their own few degrees of freedom, and S x D
trainings are no independent runs, since a run's draws share its seed: both err (docs/simulations-draws.md).

Source: Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3, for the nested analysis of variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError


def mean_counts(draws: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Counts of a run, ``(examples, k)``: the mean over its draws.

    Of an accuracy the score of mean counts is the mean score; of an F1 it is that of all draws' answers together.

    Raises:
        StatisticsError: there is none, or they are not of the same examples.
    """
    if not draws or len({counts.shape for counts in draws}) > 1:
        raise StatisticsError(
            f"draws of one run with counts of shapes {sorted({counts.shape for counts in draws})}",
            fix="predict all draws of a run on the same data",
        )
    if len(draws) == 1:
        return draws[0]
    mean: npt.NDArray[np.float64] = np.mean(np.stack(draws), axis=0, dtype=np.float64)
    return mean


@dataclass(frozen=True, slots=True)
class DrawComponents:
    """Standard deviations of one score by source, in points.

    Attributes:
        draw: of another draw of examples, same run; None where every run drew once, since it is then part of `seed`.
        seed: of another training run; a variance that is estimated below zero counts as zero.
        mean: standard error of the mean over all runs; None with one run.
        runs, draws: how many there are, and of each.
    """

    draw: float | None
    seed: float | None
    mean: float | None
    runs: int
    draws: int


def draw_components(scores: Sequence[Sequence[float]]) -> DrawComponents:
    """Components of variance of runs with several draws each.

    Args:
        scores: in points, one sequence for each run; all as long as the shortest are used.

    Raises:
        StatisticsError: a run without scores.
    """
    if not scores or not all(scores):
        raise StatisticsError("a run without a score of any draw", fix="leave runs out that are not finished")
    count = min(map(len, scores))
    table = np.array([list(of_run[:count]) for of_run in scores], dtype=np.float64)
    within = float(np.mean(np.var(table, axis=1, ddof=1))) if count > 1 else None
    if len(table) < 2:
        return DrawComponents(None if within is None else math.sqrt(within), None, None, len(table), count)
    between = float(np.var(table.mean(axis=1), ddof=1))
    seed = max(between - (within or 0.0) / count, 0.0)
    return DrawComponents(
        draw=None if within is None else math.sqrt(within),
        seed=math.sqrt(seed),
        mean=math.sqrt(between / len(table)),
        runs=len(table),
        draws=count,
    )
