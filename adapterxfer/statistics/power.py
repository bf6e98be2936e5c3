"""What a study of a given size can find: minimum detectable effects and power."""

from __future__ import annotations

import math

import numpy as np
from scipy import special
from scipy.optimize import brentq

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.exact import mcnemar
from adapterxfer.statistics.freedom import joint_df
from adapterxfer.statistics.intervals import t_quantile
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.thresholds import ENOUGH_RUNS, FEWEST_CLUSTERS

NODES = 200
"""Equally likely values of a variance estimated from runs, over which power is averaged; 20,000 differ by .0003."""


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
    items: int,
    discordance: float,
    effect: float,
    *,
    seeds: int = 1,
    seed_sd: float = 0.0,
    alpha: float = 0.05,
    tests: int = 1,
) -> float:
    """Power of the test over items and runs that a report makes, for a difference of ``effect`` points.

    A few runs hardly know how far runs differ, and the test's critical value depends on what they say of it
    (`freedom.joint_df`): the power is the mean over all that they may say. A normal distribution, which promises .80,
    has .29 with two runs and .51 with three. Without ``seed_sd`` the runs are held fixed and the items alone decide.

    Args:
        tests: size of the family, of tests alike. Each is decided at ``alpha / tests``; with three or four runs it is
            read with the fewest degrees of freedom among them, here of tests that share no runs.

    Returns:
        0 where no verdict can be had: too few items, one run of each system, two runs in a family of several tests.
    """
    error = paired_standard_error(items, discordance, seeds=seeds, seed_sd=seed_sd, effect=effect)
    runs_df, over_runs = seeds - 1.0, 2.0 * seed_sd**2 / seeds
    if items < FEWEST_CLUSTERS or (over_runs > 0.0 and (runs_df < 1.0 or (runs_df == 1.0 and tests > 1))):
        return 0.0
    if error == 0.0:
        return 1.0 if effect else 0.0
    of_items = error**2 - over_runs

    def drawn(shares: Floats) -> tuple[Floats, Floats]:
        """Variance and degrees of freedom of tests whose variance over runs is at these shares of its distribution."""
        if over_runs == 0.0:
            return np.array([of_items]), np.array([items - 1.0])
        runs = over_runs * 2.0 * special.gammaincinv(runs_df / 2.0, shares) / runs_df
        return of_items + runs, joint_df(of_items + runs, np.array(items - 1.0), runs, np.array(runs_df))

    shares = (np.arange(NODES) + 0.5) / NODES
    variances, df = drawn(shares)
    if over_runs > 0.0 and tests > 1 and seeds < ENOUGH_RUNS:
        _, fewest = drawn(shares ** (1.0 / (tests - 1)))  # of the other tests: those of the largest variance of theirs
        df = np.minimum(df, fewest[:, None])
    limits = -special.stdtrit(df, alpha / tests / 2.0) * np.sqrt(variances)
    return float(np.mean(special.ndtr((effect - limits) / error) + special.ndtr((-effect - limits) / error)))


def detectable_paired(
    items: int,
    discordance: float,
    *,
    seeds: int = 1,
    seed_sd: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    tests: int = 1,
) -> float:
    """Smallest true difference in points that `power_paired` finds with probability ``power``.

    Returns:
        Infinity where there is none: no verdict can be had, or even the largest difference that the discordance allows,
        where one of the systems is right on every item on which they differ, is not found so often.
    """
    largest = 100.0 * discordance

    def lacking(effect: float) -> float:
        return power_paired(items, discordance, effect, seeds=seeds, seed_sd=seed_sd, alpha=alpha, tests=tests) - power

    return float(brentq(lacking, 0.0, largest)) if lacking(largest) >= 0.0 else math.inf


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
