"""Levels of several looks, and what undeclared looks cost, against simulation and known designs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

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


def test_five_equal_looks_are_those_of_the_published_design() -> None:
    """Lan and DeMets with five equal looks: boundaries 4.877, 3.357, 2.680, 2.290, 2.031 (two-sided 0.05)."""
    bounds = norm.isf(np.array(spending_levels([1, 2, 3, 4, 5])) / 2.0)
    np.testing.assert_allclose(bounds, [4.877, 3.357, 2.680, 2.290, 2.031], atol=6e-4)


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
