"""Mistakes found in other significance tools; each test fails if we make the same one."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.statistics.intervals import shift_p

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
IDS = [f"{index:04d}" for index in range(60)]


def table_of(**systems: np.ndarray) -> st.ScoreTable:
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=1,
            target="t",
            language="en",
            domain="t",
            cluster_ids=IDS[: len(v)],
            counts=np.stack([v, np.ones_like(v)], axis=1),
        )
        for name, v in systems.items()
    ]
    return st.build_table(cells, {"t": ACCURACY})


def cell(name: str) -> st.Contrast:
    return st.score(st.System.of({"name": name}), "t", "en")


def test_both_systems_are_resampled_on_the_same_items() -> None:
    """deepsig's paired bootstrap draws each side on its own, and sacrebleu's rival scripts half of the items."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 60)
    second = first.copy()
    second[:3] = 1 - second[:3]
    table = table_of(a=first, b=second)
    found = st.resample(table, [cell("a") - cell("b"), cell("a")], resamples=4000, seed=0)
    gap = (first - second).astype(float)
    assert found.replicates[:, 0].std() == pytest.approx(100 * gap.std() / np.sqrt(60), rel=0.05)
    assert found.replicates[:, 0].std() < 0.5 * found.replicates[:, 1].std()


def test_deviations_are_centred_before_taking_absolute_values() -> None:
    """sacrebleu centres |difference|, which makes a two-sided question one-sided: 11.6 % errors at 5 %."""
    rng = np.random.default_rng(1)
    values = rng.normal(1.5, 1.0, 20_000)
    two_sided = shift_p(values, 1.5)
    assert two_sided == pytest.approx(0.1336, abs=0.01)
    absolute = np.abs(values)
    wrong = (1 + np.count_nonzero(absolute - absolute.mean() >= 1.5)) / 20_001
    assert two_sided > 1.8 * wrong


def test_p_is_never_zero() -> None:
    """deepsig reports r / R, which can be 0 however few resamples were made."""
    assert shift_p(np.full(9, 3.0), 3.0) == 0.1


def test_ties_count_as_extreme() -> None:
    """sacrebleu's and compare-mt's counts treat a tie as evidence for a difference."""
    assert shift_p(np.array([1.0, 1.0, 3.0, -1.0]), 1.0) == (1 + 2) / 5


def test_mcnemar_ignores_items_on_which_both_are_wrong() -> None:
    """Only the numbers of items that one of the two gets right enter: the test has no place for the others."""
    assert st.mcnemar(8, 2).discordant == 10
    assert st.mcnemar(8, 2).p == pytest.approx(2 * 56 / 1024)


def test_adjusted_values_come_back_in_order_and_never_fall() -> None:
    """deepsig's Bonferroni returns [.04, .02, .06, .03] for these."""
    raw = np.array([0.01, 0.04, 0.03, 0.005])
    for method in ("holm", "bh", "by"):
        adjusted = st.adjust(raw, method)
        assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()
        assert (adjusted >= raw).all()


def test_more_comparisons_are_never_easier() -> None:
    """deepsig's correction of almost stochastic order relaxes with the number of comparisons."""
    smallest = [st.adjust([0.01] + [0.9] * others, "holm")[0] for others in range(5)]
    assert (np.diff(smallest) > 0).all()
    effects = [st.minimum_detectable_effect(1.0, tests=tests) for tests in (1, 2, 10, 99)]
    assert (np.diff(effects) > 0).all()
    assert effects[3] / effects[0] == pytest.approx(1.54, abs=0.01)


def test_the_seed_is_used_and_nothing_else_is() -> None:
    """rliable ignores its random_state and draws from numpy's global state."""
    table = table_of(a=np.arange(60) % 2, b=np.arange(60) % 3 % 2)
    question = [cell("a") - cell("b")]
    np.random.seed(0)  # noqa: NPY002
    first = st.resample(table, question, resamples=50, seed=5).replicates
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(first, st.resample(table, question, resamples=50, seed=5).replicates)
    assert not np.array_equal(first, st.resample(table, question, resamples=50, seed=6).replicates)


def test_a_mean_over_parallel_languages_is_not_pooled_as_if_independent() -> None:
    """lm-evaluation-harness adds variances over subtasks: too small when they share their items."""
    right = np.random.default_rng(4).integers(0, 2, 60)
    counts = np.stack([right, np.ones(60, dtype=int)], axis=1)
    cells = [
        st.CellCounts(
            system={"name": "a"}, seed=1, target="t", language=lang, domain="t", cluster_ids=IDS, counts=counts
        )
        for lang in ("de", "en", "sw")
    ]
    table = st.build_table(cells, {"t": ACCURACY})
    parts = [st.score(table.systems[0], "t", lang) for lang in ("de", "en", "sw")]
    found = st.resample(table, [st.macro(parts), parts[0]], resamples=500, seed=0)
    np.testing.assert_allclose(found.replicates[:, 0], found.replicates[:, 1], rtol=1e-12)
    np.testing.assert_allclose(found.components.items[0], found.components.items[1], rtol=1e-12)


def test_power_of_a_paired_comparison_uses_the_pairing() -> None:
    """deepsig's power analysis resamples the sides on their own: twice the variance where systems agree on 90 %."""
    paired = st.paired_standard_error(1000, 0.1)
    unpaired = 100 * np.sqrt(2 * 0.8 * 0.2 / 1000)
    assert paired < 0.6 * unpaired
    assert st.power_paired(1000, 0.1, 3.0) > 0.8 > st.power_paired(1000, 0.32, 3.0)


def test_items_are_resampled_too_and_not_only_runs() -> None:
    """rliable takes the test set as fixed: with three equal runs its interval has no width."""
    right = np.arange(60) % 3 > 0
    counts = np.stack([right, np.ones(60)], axis=1).astype(int)
    table = st.build_table(
        [
            st.CellCounts(
                system={"name": "a"}, seed=seed, target="t", language="en", domain="t", cluster_ids=IDS, counts=counts
            )
            for seed in (1, 2, 3)
        ],
        {"t": ACCURACY},
    )
    found = st.resample(table, [cell("a")], resamples=999, seed=0)
    (row,) = st.estimates(table, found, scope="items+runs")
    assert found.components.runs[0] == pytest.approx(0.0, abs=1e-20)
    assert row.standard_error == pytest.approx(100 * np.sqrt(2 / 9 / 59), rel=1e-9)
    assert row.high - row.low > 3 * row.standard_error


def test_as_many_items_are_drawn_as_there_are() -> None:
    """neubig's and compare-mt's scripts draw half of them: intervals too wide by the square root of 2."""
    table = table_of(a=np.arange(60) % 2)
    found = st.resample(table, [cell("a")], resamples=8000, seed=0)
    assert found.replicates.std() == pytest.approx(100 * 0.5 / np.sqrt(60), rel=0.04)


def test_no_direction_is_chosen_after_looking() -> None:
    """neubig's p is 1 - the winner's share of wins: one-sided, with the side picked from the data."""
    rng = np.random.default_rng(6)
    values = rng.normal(1.2, 1.0, 20_000)
    win_ratio = 1 - (values > 0).mean()
    assert shift_p(values, 1.2) == pytest.approx(2 * win_ratio, rel=0.1)
    assert shift_p(-values, -1.2) == pytest.approx(shift_p(values, 1.2), rel=1e-12)


def test_streams_of_seeds_and_blocks_never_meet() -> None:
    """lm-evaluation-harness seeds its chunks 0, 1, 2, ...: the next seed repeats all chunks but one."""
    table = table_of(a=np.arange(60) % 2)
    one, two = (st.resample(table, [cell("a")], resamples=512, seed=seed).replicates[:, 0] for seed in (0, 1))
    assert not np.array_equal(one[256:], two[:256])
    assert len(np.intersect1d(one, two)) < 60
    assert abs(np.corrcoef(one[256:], two[:256])[0, 1]) < 0.3


def test_tiny_p_values_keep_their_digits() -> None:
    """A convolution by FFT ends at 1e-15: 7.6e-15 instead of 1.66e-43."""
    assert st.mcnemar(400, 100).p == pytest.approx(1.65962947521744e-43, rel=1e-12)
