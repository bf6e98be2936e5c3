"""p-values adjusted for a family of tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import Replicates
from adapterxfer.statistics.estimate import Estimate
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.spread import bootstrap_errors
from adapterxfer.statistics.thresholds import TIE

Adjustment = Literal["holm", "bh", "by"]


def adjust(p_values: Sequence[float] | Floats, method: Adjustment) -> Floats:
    """Adjusted p-values, in the order given.

    `holm` controls the family-wise error under any dependence; `bh` the false discovery rate under independence or
    positive dependence; `by` under any dependence.

    Raises:
        StatisticsError: a value outside [0, 1], or an unknown method.

    Source: Holm 1979; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0.0) & (values <= 1.0)).all():
        raise StatisticsError("p-values outside [0, 1]", fix="withhold rows without a p-value before adjusting")
    count = len(values)
    order = np.argsort(values, kind="stable")
    result = np.empty(count)
    if method == "holm":
        result[order] = np.maximum.accumulate(np.minimum(1.0, values[order] * (count - np.arange(count))))
        return result
    if method not in ("bh", "by"):
        raise StatisticsError(f"adjustment '{method}' is not one of: holm, bh, by", fix="use holm")
    scaled = values[order] * count * _dependence(method, count) / np.arange(1, count + 1)
    result[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return result


def own_levels(p_values: Sequence[float] | Floats, method: Adjustment, *, alpha: float = 0.05) -> Floats:
    """The level at which each test is decided, with the p-values of the others as they are.

    A test's adjusted p-value is at most ``alpha`` exactly where its own is at most this level: with `holm`
    ``alpha / (m - r)``, where r of the other m - 1 are found first; with `bh` the share of ``alpha`` that belongs to
    the number found.

    Returns:
        Levels in the order of the p-values, at most ``alpha``.
    """
    values = np.asarray(p_values, dtype=np.float64)
    count = len(values)
    order = np.argsort(values, kind="stable")
    result = np.empty(count)
    shares = _holm_shares(values[order], alpha) if method == "holm" else _bh_shares(values[order], method, alpha)
    result[order] = alpha * shares
    return result


def _holm_shares(ordered: Floats, alpha: float) -> Floats:
    """Shares of alpha by rank: without a test, those behind it move up by one."""
    count = len(ordered)
    shares = 1.0 / (count - np.arange(count))
    stays = np.flatnonzero(ordered > alpha * shares)
    moves = np.append(np.flatnonzero(ordered[1:] > alpha * shares[:-1]), count - 1)
    first = stays[0] if len(stays) else count
    ranks = np.arange(count)
    rejected = np.where(first < ranks, first, moves[np.searchsorted(moves, np.minimum(ranks, count - 1))])
    return np.asarray(shares[rejected])


def _bh_shares(ordered: Floats, method: Adjustment, alpha: float) -> Floats:
    """Shares of alpha by rank: the last of the others that would be found if this test were."""
    count = len(ordered)
    shares = np.arange(1, count + 1) / count / _dependence(method, count)
    before = np.where(ordered[:-1] <= alpha * shares[1:], np.arange(count - 1), -1)
    last_before = np.append(-1, np.maximum.accumulate(before)) if count > 1 else np.array([-1])
    behind = np.flatnonzero(ordered[1:] <= alpha * shares[1:])
    last = behind[-1] if len(behind) else -1
    return np.asarray(shares[np.where(last >= np.arange(count), last, last_before) + 1])


def _dependence(method: Adjustment, count: int) -> float:
    return float(np.sum(1.0 / np.arange(1, count + 1))) if method == "by" else 1.0


def with_adjusted(family: Sequence[Estimate], method: Adjustment = "holm") -> tuple[Estimate, ...]:
    """The same estimates with `p_adjusted`; rows without a p-value stay as they are and do not count."""
    chosen = [number for number, row in enumerate(family) if row.p is not None]
    values = [p for row in family if (p := row.p) is not None]
    result = list(family)
    for number, value in zip(chosen, adjust(values, method).tolist(), strict=True):
        result[number] = replace(family[number], p_adjusted=value, adjustment=method)
    levels = {level: own_levels(values, method, alpha=1.0 - level).tolist() for level in {row.level for row in family}}
    for rank, number in enumerate(chosen):
        row = result[number]
        result[number] = replace(row, alpha_in_family=levels[row.level][rank])
    return tuple(result)


def step_down(replicates: Replicates, columns: Sequence[int] | None = None) -> Floats:
    """Romano-Wolf step-down p-values of some contrasts, over new test items.

    The largest studentised deviation over the contrasts not yet rejected, in the same replicates, is the reference
    distribution: dependence between contrasts (a shared baseline, parallel languages) is used, not assumed away.

    Args:
        columns: the family; all contrasts when None.

    Returns:
        Adjusted p-values in the order of ``columns``; never below the unadjusted ones.

    Source: Romano and Wolf 2005, algorithm 4.1, with p-values as in Romano and Wolf 2016.
    """
    return step_down_p(*_studentised(replicates, columns))


def _studentised(replicates: Replicates, columns: Sequence[int] | None) -> tuple[Floats, Floats]:
    """Estimates ``(m,)`` and deviations of the replicates ``(resamples, m)``, both absolute and over their errors."""
    chosen = list(range(len(replicates.contrasts))) if columns is None else list(columns)
    errors = bootstrap_errors(replicates.values[chosen], replicates.replicates[:, chosen])
    values = replicates.values[chosen]
    deviations = np.abs(np.nan_to_num(replicates.replicates[:, chosen] - values, nan=np.inf))
    safe = np.where(errors > 0.0, errors, 1.0)
    observed = np.where(errors > 0.0, np.abs(values) / safe, np.where(np.abs(values) > TIE, np.inf, 0.0))
    return observed, np.where(errors > 0.0, deviations / safe, 0.0)


def step_down_p(observed: Floats, null: Floats) -> Floats:
    """Step-down max-T p-values from observed statistics ``(m,)`` and null draws ``(draws, m)``, larger is stronger."""
    order = np.argsort(-observed, kind="stable")
    maxima = np.maximum.accumulate(null[:, order][:, ::-1], axis=1)[:, ::-1]
    slack = TIE * np.maximum(1.0, np.where(np.isfinite(observed), observed, 1.0))[order]
    counts = (maxima >= observed[order] - slack).sum(axis=0)
    result = np.empty(len(observed))
    result[order] = np.maximum.accumulate((1.0 + counts) / (len(null) + 1.0))
    return result
