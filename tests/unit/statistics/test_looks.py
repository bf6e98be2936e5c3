"""Levels of several looks, and what undeclared looks cost, against simulation and known designs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.looks import error_rate, spending_levels


def simulated(looks: list[int], levels: list[float], *, runs_to_items: float, studies: int = 400_000) -> float:
    """Share of null studies that cross at some look, from drawn seeds and items."""
    generator = np.random.default_rng(1)
    items = 0.0 if math.isinf(runs_to_items) else 1.0 / runs_to_items
    sums, shared = np.zeros(studies), items * generator.standard_normal(studies)
    crossed, seeds = np.zeros(studies, dtype=bool), 0
    for look, level in zip(looks, levels, strict=True):
        while seeds < look:
            sums += generator.standard_normal(studies)
            seeds += 1
        error = math.sqrt(items**2 + 1.0 / look)
        crossed |= np.abs(shared + sums / look) >= norm.isf(level / 2.0) * error
    return float(crossed.mean())


def test_one_look_keeps_the_level() -> None:
    assert spending_levels([5]) == (pytest.approx(0.05, abs=1e-12),)
    assert error_rate([5], [0.05]) == pytest.approx(0.05, abs=1e-12)


def test_levels_and_rates_are_those_of_the_joint_normal_distribution() -> None:
    """Boundaries against scipy's integral of the three looks' joint distribution, and the function they spend."""
    looks = [3, 5, 10]
    levels = spending_levels(looks)
    np.testing.assert_allclose(levels, [0.000346, 0.005439, 0.047758], atol=1e-6)
    for count in (1, 2, 3):
        cumulative = 2.0 * norm.sf(norm.isf(0.025) / math.sqrt(looks[count - 1] / 10))
        assert joint_rate(looks[:count], levels[:count]) == pytest.approx(cumulative, abs=2e-5)
    assert joint_rate(looks, [0.05] * 3) == pytest.approx(error_rate(looks, [0.05] * 3), abs=2e-5)


def joint_rate(looks: Sequence[int], levels: Sequence[float]) -> float:
    """One minus the probability that every look stays inside its boundary; looks correlate as running means do."""
    table = np.array([[math.sqrt(min(a, b) / max(a, b)) for b in looks] for a in looks])
    bounds = norm.isf(np.array(levels) / 2.0)
    inside = multivariate_normal(cov=table, seed=1).cdf(bounds, lower_limit=-bounds)
    return float(1.0 - inside)


@pytest.mark.parametrize("looks", [[3, 5, 10], [2, 3], [5, 6, 7, 20]])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_levels_spend_exactly_the_whole(looks: list[int], alpha: float) -> None:
    levels = spending_levels(looks, alpha=alpha)
    assert error_rate(looks, levels) == pytest.approx(alpha, abs=1e-8)
    assert list(levels) == sorted(levels)
    assert error_rate(looks, levels, runs_to_items=1.0) <= alpha


@pytest.mark.parametrize("runs_to_items", [0.5, 2.0, math.inf])
def test_the_error_of_looking_until_significant_is_that_of_drawn_studies(runs_to_items: float) -> None:
    looks = [2, 3, 5, 10]
    rate = error_rate(looks, [0.05] * 4, runs_to_items=runs_to_items)
    assert rate == pytest.approx(simulated(looks, [0.05] * 4, runs_to_items=runs_to_items), abs=0.0015)
    assert rate > 0.06


def test_looks_at_items_alone_are_one_look() -> None:
    assert error_rate([3, 5], [0.01, 0.05], runs_to_items=0.0) == 0.05


@pytest.mark.parametrize(
    ("looks", "levels", "message"),
    [
        ([], [], "increasing"),
        ([3, 3], [0.1, 0.1], "increasing"),
        ([0, 3], [0.1, 0.1], "increasing"),
        ([3, 5], [0.1], "2 looks and 1 levels"),
        ([3], [1.5], "between 0 and 1"),
    ],
)
def test_what_is_no_sequence_of_looks_is_refused(looks: list[int], levels: list[float], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        error_rate(looks, levels)
