"""Random-effects pooling: known answers, edges, and that a common part is never divided by the number of studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.pooling import heterogeneity, paule_mandel, pool

effects = st.lists(st.floats(-50.0, 50.0).map(lambda value: round(value, 3)), min_size=2, max_size=8)


def test_unknown_variances_give_the_t_interval_of_the_studies() -> None:
    found = pool([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    assert found.estimate == pytest.approx(2.0)
    assert found.tau == pytest.approx(1.0)
    assert found.standard_error == pytest.approx(1.0 / math.sqrt(3.0))
    assert found.df == pytest.approx(2.0)
    assert math.isnan(found.q)


def test_studies_that_agree_better_than_their_errors_keep_these() -> None:
    found = pool([5.0, 5.0, 5.0, 5.0], [4.0, 4.0, 4.0, 4.0])
    assert found.tau2 == 0.0
    assert found.standard_error == pytest.approx(1.0), "Hartung and Knapp's factor would make it 0"
    assert found.i2 == 0.0


@given(effects, st.floats(0.01, 25.0), st.floats(0.0, 25.0))
def test_the_common_part_is_added_whole(values: list[float], own: float, common: float) -> None:
    variances = [own] * len(values)
    without, found = pool(values, variances), pool(values, variances, common=common, common_df=99.0)
    assert found.estimate == pytest.approx(without.estimate)
    assert found.standard_error**2 == pytest.approx(without.standard_error**2 + common)
    assert found.low <= found.estimate <= found.high
    if len(values) > 2:
        assert found.prediction_low <= found.low
        assert found.prediction_high >= found.high
    else:
        assert math.isnan(found.prediction_low)


@given(effects, st.floats(0.01, 25.0))
def test_the_variance_between_studies_solves_its_equation(values: list[float], own: float) -> None:
    y, v = np.array(values), np.full(len(values), own) * np.linspace(1.0, 2.0, len(values))
    tau2 = paule_mandel(y, v)
    weights = 1.0 / (v + tau2)
    q = float(weights @ (y - weights @ y / weights.sum()) ** 2)
    assert q == pytest.approx(len(y) - 1, rel=1e-6) if tau2 > 0.0 else q <= len(y) - 1 + 1e-9


def test_equal_effects_without_variances_are_not_certain() -> None:
    found = pool([2.0, 2.0], [0.0, 0.0])
    assert found.estimate == 2.0
    assert math.isnan(found.low)
    assert math.isnan(found.p)


def test_heterogeneity_of_a_textbook_kind() -> None:
    q, p, i2 = heterogeneity(np.array([0.0, 4.0]), np.array([1.0, 1.0]))
    assert q == pytest.approx(8.0)
    assert p == pytest.approx(0.004678, abs=1e-6)
    assert i2 == pytest.approx(7.0 / 8.0)


@pytest.mark.parametrize(
    ("values", "variances", "options"),
    [
        ([1.0], [1.0], {}),
        ([1.0, 2.0], [1.0], {}),
        ([1.0, math.nan], [1.0, 1.0], {}),
        ([1.0, 2.0], [1.0, -1.0], {}),
        ([1.0, 2.0], [1.0, 1.0], {"common": -1.0}),
        ([1.0, 2.0], [1.0, 1.0], {"level": 95.0}),
    ],
)
def test_numbers_that_cannot_be_pooled(values: list[float], variances: list[float], options: dict[str, float]) -> None:
    with pytest.raises(StatisticsError):
        pool(values, variances, **options)
