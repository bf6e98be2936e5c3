"""The fast pass over many contrasts gives what the plain functions give contrast by contrast."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import symmetric_distance
from adapterxfer.statistics.spread import bootstrap_errors, spread


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("resamples", "level"), [(10_000, 0.95), (999, 0.9), (61, 0.99), (10, 0.95)])
def test_spread_equals_the_plain_functions(resamples: int, level: float, alternative: str) -> None:
    rng = np.random.default_rng(resamples)
    values = np.array([0.0, 1.5, -0.3, 40.0, 2.0, 7.0, 1e-3])
    replicates = values + rng.standard_t(3, (resamples, 7)) * [1.0, 0.5, 0.1, 3.0, 1.0, 0.0, 1.0]
    replicates[:, 4] = np.rint(replicates[:, 4])  # ties
    replicates[:, 6] = np.where(rng.random(resamples) < 0.97, values[6], 50.0)  # nearly all at one place
    replicates[:3, 2] = np.nan
    found = spread(values, replicates, level=level, alternative=alternative)
    for number, value in enumerate(values.tolist()):
        column = replicates[:, number]
        defined = column[~np.isnan(column)]
        assert found.distances[number] == symmetric_distance(defined, value, level=level)
        assert found.p[number] == st.shift_p(column, value, alternative=alternative)
        assert found.errors[number] == pytest.approx(defined.std(ddof=1), rel=1e-12, abs=1e-15)
    assert found.undefined.tolist() == [False, False, True, False, False, False, False]
    np.testing.assert_array_equal(found.errors, bootstrap_errors(values, replicates))
    assert found.errors[5] == 0.0


def test_spread_does_not_change_its_input_and_refuses_what_is_never_defined() -> None:
    replicates = np.random.default_rng(0).normal(size=(100, 2))
    kept = replicates.copy()
    spread(np.zeros(2), replicates)
    np.testing.assert_array_equal(replicates, kept)
    replicates[:, 1] = np.nan
    with pytest.raises(StatisticsError, match="undefined in every replicate"):
        spread(np.zeros(2), replicates)
