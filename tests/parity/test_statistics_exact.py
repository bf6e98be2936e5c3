"""Exact tests, BCa, margins and power against scipy, textbook formulas and known values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import t_p

F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), points=1.0)
MEAN = st.ratio_metric("mean", (1, 0), (0, 1), points=1.0)


def single(counts: np.ndarray, metric: st.SumScore) -> tuple[st.ScoreTable, st.Contrast]:
    ids = [f"{index:04d}" for index in range(len(counts))]
    table = st.build_table([st.CellCounts({"name": "a"}, 1, "task", "en", "task", ids, counts)], {"task": metric})
    return table, st.score(table.systems[0], "task", "en")


def test_sign_flip_equals_scipy_and_an_enumeration() -> None:
    differences = np.array([3, -1, 4, 1, -5, 9, 2, 6, -5, 3, 5, 8])
    result = st.exact_sign_flip(differences)
    assert result.p == 0.0927734375
    theirs = stats.permutation_test(
        (differences,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    )  # fmt: skip
    assert result.p == pytest.approx(theirs.pvalue, rel=1e-12)
    sums = np.array([np.dot(s, differences) for s in itertools.product([1, -1], repeat=12)])
    assert result.mid_p == pytest.approx(result.p - 0.5 * (np.abs(sums) == abs(differences.sum())).mean(), rel=1e-12)


@pytest.mark.parametrize(("first", "second", "expected"), [
    (37, 19, 0.022241389472860106), (400, 100, 1.65962947521744e-43), (5, 5, 1.0), (0, 0, 1.0), (1, 0, 1.0),
])  # fmt: skip
def test_mcnemar_equals_the_binomial_test_also_in_the_far_tail(first: int, second: int, expected: float) -> None:
    result = st.mcnemar(first, second)
    assert result.p == pytest.approx(expected, rel=1e-12)
    if first + second:
        assert result.p == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-10)
    signs = np.repeat([1, -1, 0], [first, second, 7])
    assert st.exact_sign_flip(signs).p == pytest.approx(result.p, rel=1e-12)
    assert st.exact_sign_flip(signs).mid_p == pytest.approx(result.mid_p, rel=1e-12)


def test_mcnemar_mid_p_by_its_definition() -> None:
    law = stats.binom(20, 0.5)
    assert st.mcnemar(14, 6).mid_p == pytest.approx(2 * law.cdf(5) + law.pmf(6), rel=1e-12)


def test_randomisation_of_f1_agrees_with_all_swaps() -> None:
    rng = np.random.default_rng(4)
    gold = rng.integers(1, 4, 10)
    systems = []
    for rate in (0.8, 0.4):
        tp = rng.binomial(gold, rate)
        systems.append(np.stack([tp, tp + rng.integers(0, 2, 10), gold], axis=1).astype(float))
    first, second = systems
    flips = np.array(list(itertools.product([0.0, 1.0], repeat=10)))
    moved = flips @ (second - first)
    spread = np.abs(F1.score(first.sum(0) + moved) - F1.score(second.sum(0) - moved))
    exact = (spread >= abs(F1.score(first.sum(0)) - F1.score(second.sum(0))) - 1e-12).mean()
    ours = st.randomization_test(first, second, F1, resamples=20_000, seed=1)
    assert abs(ours - exact) < 4 * math.sqrt(exact * (1 - exact) / 20_000)
    assert st.randomization_test(first, first, F1, resamples=100, seed=1) == 1.0


def test_paired_counts_feed_the_exact_tests() -> None:
    ids = list("abcdef")
    right = {"x": [[1, 1, 1, 0, 1, 1], [1, 1, 0, 0, 1, 1]], "y": [[0, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 1]]}
    cells = [
        st.CellCounts({"name": name}, seed, "t", "en", "t", ids, np.stack([np.array(row), np.ones(6, int)], axis=1))
        for name, rows in right.items()
        for seed, row in enumerate(rows)
    ]
    table = st.build_table(cells, {"t": MEAN})
    x, y = (st.Cell(system, "t", "en") for system in table.systems)
    pair = st.paired_counts(table, x, y)
    np.testing.assert_array_equal(pair.first[:, 0], np.sum(right["x"], axis=0))
    np.testing.assert_array_equal(pair.second[:, 0], np.sum(right["y"], axis=0))
    assert st.exact_sign_flip((pair.first - pair.second)[:, 0].astype(int)).discordant == 5
    with pytest.raises(StatisticsError, match="not the same items"):
        st.paired_counts(table, x, st.Cell(y.system, "t", "de"))


def test_bca_of_corpus_f1_equals_scipy() -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 4, 120)
    tp = rng.binomial(gold, 0.7)
    predicted = tp + rng.integers(0, 2, 120)
    table, question = single(np.stack([tp, predicted, gold], axis=1), F1)
    replicates = st.resample(table, [question], resamples=3000, seed=2)

    def f1(a: np.ndarray, b: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return 2.0 * a.sum(axis=axis) / (b.sum(axis=axis) + c.sum(axis=axis))

    common = {"paired": True, "vectorized": True, "method": "BCa"}
    made = stats.bootstrap((tp, predicted, gold), f1, n_resamples=9, rng=np.random.default_rng(0), **common)
    ours_inside = type(made)(made.confidence_interval, replicates.replicates[:, 0], 0.0)
    same = stats.bootstrap((tp, predicted, gold), f1, n_resamples=0, bootstrap_result=ours_inside, **common)
    ours = st.bca_interval(table, replicates, 0)
    assert ours.low == pytest.approx(same.confidence_interval.low, abs=1e-12)
    assert ours.high == pytest.approx(same.confidence_interval.high, abs=1e-12)


def test_bootstrap_t_of_a_mean_uses_each_replicates_own_error() -> None:
    values = np.random.default_rng(8).integers(0, 9, 60)
    table, question = single(np.stack([values, np.ones(60, int)], axis=1), MEAN)
    ours = st.bootstrap_t_interval(table, question, resamples=512, seed=3)
    from adapterxfer.statistics.weights import draw, stream

    multiples = np.concatenate([draw("multinomial", stream(3, "task", b), clusters=60).multiples for b in (0, 1)])
    means = multiples @ values / 60
    errors = np.sqrt((multiples * (values - means[:, None]) ** 2).sum(axis=1) / 59 / 60)
    low, high = np.quantile((means - values.mean()) / errors, [0.025, 0.975])
    error = values.std(ddof=1) / math.sqrt(60)
    assert ours.low == pytest.approx(values.mean() - high * error, rel=1e-10)
    assert ours.high == pytest.approx(values.mean() - low * error, rel=1e-10)


def test_two_one_sided_t_tests_equal_scipy() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0.1, 1.0, 50)
    y = x + rng.normal(0.05, 0.5, 50)
    gap = x - y
    error = gap.std(ddof=1) / math.sqrt(50)
    above = t_p(gap.mean(), error, 49, null=-0.3, alternative="greater")
    below = t_p(gap.mean(), error, 49, null=0.3, alternative="less")
    assert above == pytest.approx(stats.ttest_1samp(gap, -0.3, alternative="greater").pvalue, rel=1e-10)
    assert below == pytest.approx(stats.ttest_1samp(gap, 0.3, alternative="less").pvalue, rel=1e-10)


def test_agresti_min_by_hand() -> None:
    low, high = st.agresti_min_interval(8, 2, 200)
    centre, error = 6 / 202, math.sqrt(11 - 36 / 202) / 202
    assert low == pytest.approx(100 * (centre - 1.959963984540054 * error), rel=1e-12)
    assert high == pytest.approx(100 * (centre + 1.959963984540054 * error), rel=1e-12)
    with pytest.raises(StatisticsError, match="discordant"):
        st.agresti_min_interval(8, 2, 9)


def test_partial_conjunction_of_six_data_sets() -> None:
    values = [0.168, 0.297, 0.357, 0.019, 0.218, 0.001]
    assert st.partial_conjunction(values).at_least == 1
    assert st.partial_conjunction(values, dependent=False).at_least == 2
    fisher = stats.combine_pvalues(sorted(values)[1:], method="fisher").pvalue
    assert st.partial_conjunction(values, dependent=False).p[1] == pytest.approx(fisher, rel=1e-12)


def test_probability_of_improvement_equals_mann_whitney() -> None:
    x, y = [1.0, 2.0, 3.0, 4.0], [0.5, 2.0, 2.5]
    found = st.probability_of_improvement(x, y)
    assert found.probability == pytest.approx(stats.mannwhitneyu(x, y).statistic / 12)
    assert st.probability_of_improvement([1, 2, 3], [4, 5, 6]).smallest_p == pytest.approx(0.1)
    assert st.probability_of_improvement(range(5), range(5)).smallest_p == pytest.approx(0.0079, abs=5e-5)


def test_power_of_mcnemar_as_published() -> None:
    """n = 500, agreement .975, 2 points: .798 exact, .861 mid-p (simulated in Card et al.'s accuracy notebook)."""
    assert st.power_mcnemar(500, 0.025, 2.0) == pytest.approx(0.798, abs=0.004)
    assert st.power_mcnemar(500, 0.025, 2.0, mid_p=True) == pytest.approx(0.861, abs=0.004)


@pytest.mark.parametrize(("items", "discordance", "seeds", "seed_sd", "expected"), [
    (500, 0.1, 1, 0.0, 4.0), (1190, 0.2, 1, 0.0, 3.6), (5010, 0.3, 1, 0.0, 2.2), (1190, 0.2, 1, 1.0, 5.37),
    (1190, 0.2, 3, 1.0, 4.29), (1190, 0.2, 10, 1.0, 3.84),
])  # fmt: skip
def test_planning_table(items: int, discordance: float, seeds: int, seed_sd: float, expected: float) -> None:
    error = st.paired_standard_error(items, discordance, seeds=seeds, seed_sd=seed_sd)
    assert st.minimum_detectable_effect(error) == pytest.approx(expected, abs=0.05)
    if not seed_sd:
        assert st.power_paired(items, discordance, 2.8016 * error) == pytest.approx(0.8, abs=0.03)
