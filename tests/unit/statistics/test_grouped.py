"""Drawing groups of equal clusters is the same law as drawing clusters."""

import numpy as np
import pytest
from scipy import stats

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.grouped import cluster_sums, domain_clusters, resample_sums, resampled_interval
from adapterxfer.statistics.intervals import Bounds


def test_grouped_and_ungrouped_draws_have_the_same_moments():
    rng = np.random.default_rng(0)
    few = rng.integers(0, 3, size=(500, 2)).astype(float)  # nine different rows: drawn as groups
    many = few + rng.random((500, 2)) * 1e-9  # the same sums, but all rows differ
    first, second = (resample_sums(sums, resamples=4000, seed=3, name="x") for sums in (few, many))
    expected = 500 * np.cov(few.T, bias=True)
    for draws in (first, second):
        np.testing.assert_allclose(draws.mean(axis=0), few.sum(axis=0), atol=3 * np.sqrt(expected[0, 0] / 4000))
        np.testing.assert_allclose(np.cov(draws.T), expected, rtol=0.1, atol=0.06 * expected[0, 0])


def test_totals_never_change():
    sums = np.stack([np.arange(100) % 2, np.ones(100)], axis=1)
    assert set(resample_sums(sums, resamples=300, seed=1, name="x")[:, 1]) == {100.0}


def test_draws_follow_name_and_seed():
    sums = np.random.default_rng(0).random((50, 1))
    one = resample_sums(sums, resamples=10, seed=1, name="x")
    assert np.array_equal(one, resample_sums(sums, resamples=10, seed=1, name="x"))
    assert not np.array_equal(one, resample_sums(sums, resamples=10, seed=1, name="y"))
    with pytest.raises(StatisticsError):
        resample_sums(sums[:0], resamples=10, seed=1, name="x")


def test_clusters_are_shared_by_name():
    (first, second), number = domain_clusters([["a", "b", "a"], ["c", "b"]])
    assert (first.tolist(), second.tolist(), number) == ([0, 1, 0], [2, 1], 3)
    assert cluster_sums(np.array([[1.0], [2.0], [4.0]]), first, number).tolist() == [[5.0], [2.0], [0.0]]


@pytest.mark.parametrize(("clusters", "tested"), [(1, False), (9, False), (10, True), (39, True), (40, True)])
def test_resampled_numbers_follow_the_rule_of_estimates_for_few_clusters(clusters: int, tested: bool) -> None:
    rng = np.random.default_rng(0)
    sums = np.stack([rng.integers(0, 2, clusters), np.ones(clusters, dtype=int)], axis=1).astype(float)
    draws = resample_sums(sums, resamples=4000, seed=0, name="d")
    scores = 100 * draws[:, 0] / draws[:, 1] - 50
    value = 100 * float(sums[:, 0].mean()) - 50
    row = resampled_interval(value, scores, clusters, reach=Bounds(-50.0, 50.0))
    assert (row.p is not None) == tested
    assert -50.0 <= row.low <= value <= row.high <= 50.0
    if clusters == 1:
        assert (row.low, row.high) == (-50.0, 50.0)
    if 1 < clusters < 40:
        error = 100 * float(sums[:, 0].std(ddof=1)) / np.sqrt(clusters)
        half = stats.t.ppf(0.975, clusters - 1) * error
        assert row.high == pytest.approx(min(value + half, 50.0), abs=0.6)
