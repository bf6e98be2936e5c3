"""Resampled runs, and run variance borrowed from repeated systems."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))


def table_of(levels: dict[str, list[float]], items: int = 400, *, targets: tuple[str, ...] = ("t",)) -> st.ScoreTable:
    """Systems whose runs get exactly this share of the items right, on the same items first."""
    ids = [f"{index:04d}" for index in range(items)]
    cells = []
    for name, shares in levels.items():
        for seed, share in enumerate(shares):
            right = (np.arange(items) < round(share * items)).astype(int)
            counts = np.stack([right, np.ones(items, int)], axis=1)
            cells += [
                st.CellCounts({"name": name}, seed, target, "en", "d", ids, counts, run_group=name)
                for target in targets
            ]
    return st.build_table(cells, dict.fromkeys(targets, ACCURACY))


def cell(name: str, target: str = "t") -> st.Contrast:
    return st.score(st.System.of({"name": name}), target, "en")


@pytest.mark.parametrize("runs", [2, 3, 6])
def test_one_fewer_draw_makes_the_run_variance_unbiased(runs: int) -> None:
    levels = np.random.default_rng(0).uniform(0.3, 0.7, runs).round(2).tolist()
    table = table_of({"a": levels}, items=100)
    draws = st.resample_runs(table, [cell("a")], resamples=8000, seed=0)
    fixed = st.resample(table, [cell("a")], resamples=8000, seed=0)
    spread = draws.replicates[:, 0].var() - fixed.replicates[:, 0].var()
    expected = np.var([100 * x for x in levels], ddof=1) / runs
    residual = float(draws.components.residual[0])
    assert abs(spread - expected) < 0.12 * expected + 1.5 * residual + 0.5


def test_one_trained_model_has_one_weight_in_every_target() -> None:
    table = table_of({"a": [0.2, 0.8]}, targets=("t", "u"))
    draws = st.resample_runs(table, [cell("a") - cell("a", "u"), cell("a")], resamples=300, seed=0)
    np.testing.assert_allclose(draws.replicates[:, 0], 0.0, atol=1e-10)
    assert draws.replicates[:, 1].std() > 20


def test_single_runs_and_untrained_systems_stay_as_they_are() -> None:
    table = table_of({"a": [0.4], "b": [0.6]})
    question = [cell("a") - cell("b")]
    ours = st.resample_runs(table, question, resamples=400, seed=2)
    np.testing.assert_allclose(ours.replicates, st.resample(table, question, resamples=400, seed=2).replicates,
                               atol=1e-10)  # fmt: skip
    with pytest.raises(StatisticsError, match="single training run"):
        st.two_way_interval(ours, 0)


def test_adding_a_system_moves_no_other_draw() -> None:
    small, large = table_of({"a": [0.4, 0.5]}), table_of({"a": [0.4, 0.5], "b": [0.1, 0.2, 0.3]})
    one = st.resample_runs(small, [cell("a")], resamples=300, seed=1).replicates
    two = st.resample_runs(large, [cell("a")], resamples=300, seed=1).replicates
    np.testing.assert_array_equal(one, two)


def test_two_seeds_get_an_interval_with_t_quantiles() -> None:
    table = table_of({"a": [0.4, 0.5], "b": [0.45, 0.6]})
    draws = st.resample_runs(table, [cell("a") - cell("b")], resamples=2000, seed=0)
    low, high = st.two_way_interval(draws, 0)
    df, error = float(draws.components.total_df[0]), draws.replicates[:, 0].std(ddof=1)
    assert 1.0 < df < 30.0
    assert (low + high) / 2 == pytest.approx(draws.values[0])
    assert high - low > 2 * 1.96 * error


def test_run_variance_is_borrowed_from_repeated_systems() -> None:
    table = table_of({"one": [0.5], "other": [0.6], "x": [0.4, 0.5, 0.6], "y": [0.45, 0.55]})
    found = st.resample(table, [cell("one") - cell("other"), cell("x") - cell("one")], resamples=999, seed=0)
    lent = st.pooled_runs(table, found.contrasts, found.components)
    squares = 200.0 + 50.0
    residual = _residual([0.4, 0.5, 0.6]) + _residual([0.45, 0.55])
    assert lent.total[0] == pytest.approx(found.components.items[0] + 2 * (squares - residual) / 3, rel=1e-9)
    assert lent.donors.tolist() == [2, 2]
    assert lent.total[1] < lent.total[0] * 1.5
    own = st.estimates(table, found, scope="items+runs")
    pooled = st.estimates(table, found, scope="items+runs", seed_variance="pooled")
    assert (own[0].scope, own[0].flags.count("one-seed")) == ("items", 1)
    assert (pooled[0].scope, pooled[0].interval) == ("items+runs", "t")
    assert "pooled-seeds" in pooled[0].flags
    assert "one-seed" not in pooled[0].flags
    assert pooled[0].high - pooled[0].low > own[0].high - own[0].low
    assert "borrowed from 2 repeated systems" in pooled[0].resampled
    assert pooled[0].df == pytest.approx(float(lent.df[0]))


def _residual(shares: list[float], items: int = 400) -> float:
    right = np.stack([(np.arange(items) < round(s * items)).astype(float) for s in shares])
    influence = 100 * (right - right.mean(axis=1, keepdims=True)) / items
    return float(((influence - influence.mean(axis=0)) ** 2).sum()) * items / (items - 1)


def test_without_a_lender_nothing_is_borrowed() -> None:
    table = table_of({"one": [0.5], "other": [0.6]})
    found = st.resample(table, [cell("one") - cell("other")], resamples=99, seed=0)
    assert np.isnan(st.pooled_runs(table, found.contrasts, found.components).total[0])
    row = st.estimates(table, found, scope="items+runs", seed_variance="pooled")[0]
    assert (row.scope, "one-seed" in row.flags) == ("items", True)
