"""Exact tests, BCa, margins and power against scipy, textbook formulas and known values."""

from __future__ import annotations

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
    table = st.build_table(
        [
            st.CellCounts(
                system={"name": "a"},
                seed=1,
                target="task",
                language="en",
                domain="task",
                cluster_ids=ids,
                counts=counts,
            )
        ],
        {"task": metric},
    )
    return table, st.score(table.systems[0], "task", "en")


@pytest.mark.parametrize(("first", "second", "expected"), [
    (37, 19, 0.022241389472860106), (400, 100, 1.65962947521744e-43), (5, 5, 1.0), (0, 0, 1.0), (1, 0, 1.0),
])  # fmt: skip
def test_mcnemar_equals_the_binomial_test_also_in_the_far_tail(first: int, second: int, expected: float) -> None:
    result = st.mcnemar(first, second)
    assert result.p == pytest.approx(expected, rel=1e-12)
    if first + second:
        assert result.p == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-10)


def test_mcnemar_mid_p_by_its_definition() -> None:
    law = stats.binom(20, 0.5)
    assert st.mcnemar(14, 6).mid_p == pytest.approx(2 * law.cdf(5) + law.pmf(6), rel=1e-12)


def test_paired_counts_feed_the_exact_tests() -> None:
    ids = list("abcdef")
    right = {"x": [[1, 1, 1, 0, 1, 1], [1, 1, 0, 0, 1, 1]], "y": [[0, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 1]]}
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=seed,
            target="t",
            language="en",
            domain="t",
            cluster_ids=ids,
            counts=np.stack([np.array(row), np.ones(6, int)], axis=1),
        )
        for name, rows in right.items()
        for seed, row in enumerate(rows)
    ]
    table = st.build_table(cells, {"t": MEAN})
    x, y = (st.ScoreCell(system, "t", "en") for system in table.systems)
    pair = st.paired_counts(table, x, y)
    np.testing.assert_array_equal(pair.first[:, 0], np.sum(right["x"], axis=0))
    np.testing.assert_array_equal(pair.second[:, 0], np.sum(right["y"], axis=0))
    assert np.count_nonzero(pair.first[:, 0] - pair.second[:, 0]) == 5
    with pytest.raises(StatisticsError, match="not the same items"):
        st.paired_counts(table, x, st.ScoreCell(y.system, "t", "de"))


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
