"""Regret against enumeration of every order, and its interval over two crossed axes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.regret import expected_best, mean_over_cells, regret


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("predicted", [[0, 0, 0, 0, 0], [1, 0, 0, 2, 0], [3, 3, 1, 1, 1], [5, 4, 3, 2, 1]])
def test_ties_are_broken_at_random(predicted: list[float], k: int) -> None:
    true = [4.0, 9.0, 1.0, 7.0, 7.5]
    best = []
    for order in permutations(range(5)):  # a stable sort of every order breaks ties in every way equally often
        ranked = sorted(order, key=lambda index: -predicted[index])
        best.append(max(true[index] for index in ranked[:k]))
    assert expected_best(predicted, true, k) == pytest.approx(np.mean(best))
    assert regret(predicted, true, k) == pytest.approx(9.0 - np.mean(best))


def test_more_tries_than_candidates_lose_nothing() -> None:
    assert regret([1.0, 2.0], [5.0, 3.0], 1) == 2.0
    assert regret([1.0, 2.0], [5.0, 3.0], 3) == 0.0


@pytest.mark.parametrize(
    ("predicted", "true", "k"), [([], [], 1), ([1.0], [1.0, 2.0], 1), ([np.nan], [1.0], 1), ([1.0], [1.0], 0)]
)
def test_refusals(predicted: list[float], true: list[float], k: int) -> None:
    with pytest.raises(StatisticsError):
        expected_best(predicted, true, k)


def options(**more: Any) -> dict[str, Any]:
    return {"names": ("backbones", "targets"), "resamples": 4000, "seed": 1, "confidence": 0.95, **more}


def test_mean_and_its_interval_name_what_was_resampled() -> None:
    table = np.array([[0.0, 4.0], [0.0, 8.0], [np.nan, 4.0]])
    mean = mean_over_cells(table, **options())
    assert mean.estimate == pytest.approx(16 / 5)
    assert mean.cells == 5
    assert mean.resampled == "3 backbones x 2 targets"
    assert mean.low == 0.0  # both draws may be the first target
    assert mean.high is not None
    assert 4.0 < mean.high <= 8.0


def test_an_axis_of_one_value_is_kept() -> None:
    mean = mean_over_cells(np.array([[1.0], [3.0]]), **options())
    assert mean.resampled == "2 backbones, the only one of targets kept"
    assert (mean.low, mean.high) == (1.0, 3.0)
    single = mean_over_cells(np.array([[1.0, np.nan]]), **options())
    assert (single.estimate, single.low, single.high) == (1.0, None, None)
    with pytest.raises(StatisticsError, match="no cell"):
        mean_over_cells(np.full((2, 2), np.nan), **options())


def test_the_interval_is_that_of_crossed_factors() -> None:
    """The variance of the resampled means is the sum of a row part and a column part, as for means of means."""
    rng = np.random.default_rng(5)
    rows, columns = rng.normal(size=(12, 1)), rng.normal(size=(1, 15))
    mean = mean_over_cells(rows + columns, **options(confidence=0.6826894921370859))
    assert mean.low is not None
    assert mean.high is not None
    expected = np.sqrt(rows.var() / 12 + columns.var() / 15)
    assert (mean.high - mean.low) / 2 == pytest.approx(expected, rel=0.06)
