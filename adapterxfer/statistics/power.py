"""What a study of a given size can find: minimum detectable effects and power."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.exact import mcnemar
from adapterxfer.statistics.intervals import t_quantile


def minimum_detectable_effect(
    standard_error: float, df: float = math.inf, *, alpha: float = 0.05, power: float = 0.8, tests: int = 1
) -> float:
    """Smallest true effect found with probability ``power`` by a two-sided t test at level ``alpha``.

    The noncentrality at which a noncentral t exceeds the critical value with that probability, times the standard
    error: 2.80 standard errors with many degrees of freedom, 5.65 with two, 16.3 with one. The sum of two t quantiles
    would promise .73 instead of .80 with one.

    Args:
        tests: size of the family; alpha is divided by it (Bonferroni), which bounds every adjustment.

    Returns:
        Infinity where no effect can be promised: unknown degrees of freedom, a level of 0, or a standard error of 0,
        which says that the data do not vary and not that every effect would be seen.
    """
    if not df > 0 or not standard_error > 0.0 or not alpha > 0.0:
        return math.inf
    critical = t_quantile(1.0 - alpha / (2.0 * tests), df)
    return float(special.nctdtrinc(df, 1.0 - power, critical)) * standard_error


def paired_standard_error(
    items: int, discordance: float, *, seeds: int = 1, seed_sd: float = 0.0, effect: float = 0.0
) -> float:
    """Standard error in points of a difference of two accuracies measured on the same items.

    Args:
        items: clusters of test items.
        discordance: share of items on which the systems differ in correctness, in [0, 1].
        seeds: training runs per system.
        seed_sd: standard deviation over runs of one system, in points.
        effect: assumed difference in points.

    Raises:
        StatisticsError: values outside their ranges.
    """
    if items < 1 or seeds < 1 or not 0.0 <= discordance <= 1.0 or abs(effect) > 100.0 * discordance:
        raise StatisticsError(
            f"{items} items, {seeds} seeds, discordance {discordance}, effect {effect} points",
            fix="discordance is a share of at least |effect| / 100; items and seeds are at least 1",
        )
    over_items = 1e4 * (discordance - (effect / 100.0) ** 2) / items
    return math.sqrt(over_items + 2.0 * seed_sd**2 / seeds)


def power_paired(
    items: int, discordance: float, effect: float, *, seeds: int = 1, seed_sd: float = 0.0, alpha: float = 0.05
) -> float:
    """Power of a two-sided test for a difference of ``effect`` points between two systems (normal approximation)."""
    error = paired_standard_error(items, discordance, seeds=seeds, seed_sd=seed_sd, effect=effect)
    if error == 0.0:
        return 1.0 if effect else 0.0
    critical, shift = t_quantile(1.0 - alpha / 2.0, math.inf), effect / error
    return float(special.ndtr(shift - critical) + special.ndtr(-shift - critical))


def power_mcnemar(items: int, discordance: float, effect: float, *, alpha: float = 0.05, mid_p: bool = False) -> float:
    """Exact power of McNemar's test, summed over all outcomes; see `paired_standard_error` for the arguments.

    Source: the question of Card et al. 2020, who answer it by simulation.
    """
    paired_standard_error(items, discordance, effect=effect)
    if discordance == 0.0:
        return 0.0
    better = (discordance + effect / 100.0) / 2.0 / discordance
    counts = np.arange(items + 1)
    weights = _binomial(items, discordance)
    total = 0.0
    for count in counts[weights > 1e-12].tolist():
        rejected = _rejected(count, alpha, mid_p)
        total += float(weights[count]) * float(_binomial(count, better)[rejected].sum())
    return total


def smallest_mcnemar_difference(
    items: int, wins: int, losses: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference in points that McNemar's exact test would find, in whole items.

    The rarer kind of discordance stays as it was; what makes the difference adds to the other kind. With few discordant
    items a difference of any size needs more of them than there are, so their standard error says nothing of power.

    Args:
        items: pairs of answers, each one item.
        wins, losses: items that only one of the two systems gets right.

    Returns:
        Infinity where not even a difference in all other items would be found.
    """
    rarer = min(wins, losses)

    def found_at(more: int) -> bool:
        share = max(wins + losses, 2 * rarer + more) / items
        return power_mcnemar(items, share, 100.0 * (more / items), alpha=alpha) >= power

    low, high = 0, items - 2 * rarer
    if high <= 0 or not found_at(high):
        return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found_at(middle) else (middle, high)
    return 100.0 * (high / items)


def _rejected(count: int, alpha: float, mid_p: bool) -> np.typing.NDArray[np.bool_]:
    """Which numbers of wins of ``count`` discordant items are significant: symmetric tails, found by bisection."""
    low, high = -1, count // 2
    while low < high:
        middle = (low + high + 1) // 2
        test = mcnemar(middle, count - middle)
        if (test.mid_p if mid_p else test.p) <= alpha:
            low = middle
        else:
            high = middle - 1
    wins = np.arange(count + 1)
    return np.asarray((wins <= low) | (wins >= count - low)) if low >= 0 else np.zeros(count + 1, dtype=bool)


def _binomial(count: int, probability: float) -> np.typing.NDArray[np.float64]:
    """Probabilities of 0..count successes."""
    wins = np.arange(count + 1, dtype=np.float64)
    logs = special.gammaln(count + 1.0) - special.gammaln(wins + 1.0) - special.gammaln(count - wins + 1.0)
    return np.asarray(np.exp(logs + special.xlogy(wins, probability) + special.xlog1py(count - wins, -probability)))
