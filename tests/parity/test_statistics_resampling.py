"""The resampling engine against scipy and against exact enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics.engine import block_scores
from adapterxfer.statistics.intervals import interval, shift_p
from adapterxfer.statistics.products import exact_product
from adapterxfer.statistics.weights import Weights

F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))
ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1), points=1.0)


def single(counts: np.ndarray, metric: st.SumScore, clusters: list[str] | None = None) -> st.ScoreTable:
    ids = clusters or [f"{index:04d}" for index in range(len(counts))]
    cell = st.CellCounts(
        system={"name": "a"}, seed=1, target="task", language="en", domain="task", cluster_ids=ids, counts=counts
    )
    return st.build_table([cell], {"task": metric})


def test_replicates_equal_scipy_when_given_its_draws() -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 4, 300)
    tp = rng.binomial(gold, 0.7)
    predicted = tp + rng.integers(0, 2, 300)
    table = single(np.stack([tp, predicted, gold], axis=1), F1)
    drawn = np.random.default_rng(11).integers(0, 300, (4000, 300))
    multiples = np.stack([np.bincount(row, minlength=300) for row in drawn])
    ours = block_scores(table, table.domains[0], Weights(multiples, 0.0, 1.0))[:, 0]

    def f1(a: np.ndarray, b: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return 100.0 * (2.0 * a.sum(axis=axis)) / (b.sum(axis=axis) + c.sum(axis=axis))

    common = {"paired": True, "vectorized": True, "n_resamples": 4000, "batch": 4000}
    for kind in ("percentile", "basic"):
        theirs = stats.bootstrap((tp, predicted, gold), f1, method=kind, rng=np.random.default_rng(11), **common)
        np.testing.assert_array_equal(ours, theirs.bootstrap_distribution)
        low, high = interval(ours, float(table.scores[0]), kind=kind)
        assert low == pytest.approx(theirs.confidence_interval.low, abs=1e-12)
        assert high == pytest.approx(theirs.confidence_interval.high, abs=1e-12)
    assert ours.std(ddof=1) == theirs.standard_error


def enumerate_replicates(counts: np.ndarray, metric: st.SumScore) -> np.ndarray:
    size = len(counts)
    draws = itertools.product(range(size), repeat=size)
    multiples = np.stack([np.bincount(draw, minlength=size) for draw in draws])
    return metric.score(exact_product(multiples, counts.astype(float)))


def test_exact_enumeration_of_a_paired_difference() -> None:
    mean = st.ratio_metric("mean", (1, 0), (0, 1), points=1.0)
    difference = np.stack([np.array([2, -1, 0, 3]), np.ones(4)], axis=1)
    size = 4
    draws = np.stack([np.bincount(d, minlength=size) for d in itertools.product(range(size), repeat=size)])
    values = mean.score(draws @ difference)
    assert values.std() == pytest.approx(0.7905694150420949, abs=1e-14)
    assert (np.abs(values - 1.0) >= 1.0 - 1e-12).mean() == 72 / 256
    assert shift_p(values, 1.0) == (1 + 72) / 257


def test_resample_of_f1_agrees_with_all_27_resamples() -> None:
    counts = np.array([[2, 3, 2], [0, 1, 1], [1, 1, 2]])
    exact = enumerate_replicates(counts, F1) / 100.0
    assert exact.mean() == pytest.approx(0.5646908646908646, abs=1e-15)
    assert exact.std() == pytest.approx(0.18434541411976985, abs=1e-15)
    table = single(counts, F1)
    replicates = (
        st.resample(table, [st.score(table.systems[0], "task", "en")], resamples=20_000, seed=5).replicates[:, 0]
        / 100.0
    )
    error = exact.std() / np.sqrt(20_000)
    assert abs(replicates.mean() - exact.mean()) < 4 * error
    assert abs(replicates.std() - exact.std()) < 4 * error


def test_clustered_standard_error() -> None:
    """Equal to statsmodels' cluster-robust error with its C / (C - 1) correction, computed by hand here."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, 40)
    correct = (rng.normal(0, 1, (40, 5)) + level[:, None] > 0).astype(int).ravel()
    clusters = [f"{index // 5:03d}" for index in range(200)]
    table = single(np.stack([correct, np.ones(200, dtype=int)], axis=1), ACCURACY, clusters)
    parts = st.resample(table, [st.score(table.systems[0], "task", "en")], resamples=2, seed=0).components
    sums = (correct - correct.mean()).reshape(40, 5).sum(axis=1)
    expected = np.sqrt(40 / 39 * (sums**2).sum()) / 200
    assert np.sqrt(parts.items[0]) == pytest.approx(expected, rel=1e-12)
    assert parts.items_df[0] == pytest.approx(39.0)


def test_two_way_variance_by_hand() -> None:
    first = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1]])
    second = np.array([[0, 0, 1, 0, 0, 1], [1, 0, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0]])
    ids = list("abcdef")
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=seed,
            target="task",
            language="en",
            domain="task",
            cluster_ids=ids,
            counts=np.stack([row, np.ones(6, dtype=int)], axis=1),
        )
        for name, rows in (("a", first), ("b", second))
        for seed, row in enumerate(rows)
    ]
    table = st.build_table(cells, {"task": ACCURACY})
    a, b = (st.score(system, "task", "en") for system in table.systems)
    found = st.resample(table, [st.difference(a, b)], resamples=2, seed=0)
    parts = found.components
    assert found.values[0] == pytest.approx(0.2777777777777778, abs=1e-15)
    assert parts.items[0] == pytest.approx(0.010493827160493829, abs=1e-15)
    assert parts.runs[0] == pytest.approx(0.0030864197530864183, abs=1e-15)
    assert parts.residual[0] == pytest.approx(0.02160493827160494, abs=1e-15)
    assert parts.total[0] == parts.items[0]


def test_slope_weights_of_the_xlm_r_series() -> None:
    parameters = [0.278e9, 0.560e9, 3.48e9, 10.7e9]
    weights = st.slope_weights(parameters)
    np.testing.assert_allclose(weights, [-0.47268, -0.28017, 0.22204, 0.53081], atol=5e-6)
    assert float(np.dot(weights, [4, 3, 2, 1.5])) == pytest.approx(-1.49094, abs=5e-6)
    fitted = stats.linregress(np.log10(parameters), [4, 3, 2, 1.5]).slope
    assert float(np.dot(weights, [4, 3, 2, 1.5])) == pytest.approx(fitted, rel=1e-12)
