"""Run variance drawn towards that of other numbers of the same kind, and degrees of freedom of sums of variances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics.freedom import joint_df, pooled_df

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
SHARES = np.random.default_rng(3).uniform(0.4, 0.6, (2, 4, 3)).round(2)
"""By backbone, system and seed."""


def table_of() -> st.ScoreTable:
    ids = [f"{number:03d}" for number in range(100)]
    cells = []
    for backbone in range(2):
        for name in range(4):
            for seed in range(3):
                right = (np.arange(100) < round(100 * SHARES[backbone, name, seed])).astype(int)
                counts = np.stack([right, np.ones(100, dtype=int)], axis=1)
                system = {"backbone": str(backbone), "name": str(name)}
                cells.append(
                    st.CellCounts(
                        system=system,
                        seed=seed,
                        target="t",
                        language="en",
                        domain="t",
                        cluster_ids=ids,
                        counts=counts,
                        run_group=str(backbone),
                    )
                )
    return st.build_table(cells, {"t": ACCURACY})


def against_first(table: st.ScoreTable, backbone: int, name: int) -> st.Contrast:
    (treated,), (baseline,) = (table.find(backbone=str(backbone), name=str(n)) for n in (name, 0))
    return st.gain(treated, baseline, "t", ["en"])


def test_variance_moves_towards_the_larger_mean_of_its_lenders() -> None:
    table = table_of()
    gains = [against_first(table, b, n) for b in range(2) for n in (1, 2, 3)]
    by_seed = 100 * (SHARES[:, 1:] - SHARES[:, :1])
    variances = by_seed.var(axis=2, ddof=1)
    pool = st.lenders(table, gains)
    assert pool.count == 6
    assert not pool.enough
    assert pool.overall == pytest.approx(variances.mean())
    assert [pool.by_group[str(b),] for b in range(2)] == pytest.approx(variances.mean(axis=1))
    enough = st.Lenders(pool.by_group, pool.overall, 7)
    question = [gains[0], gains[0] * 0.5 - gains[3] * 0.5]
    found = st.resample(table, question, resamples=2, seed=0)
    parts = st.moderate(table, question, found.components, {0: enough, 1: enough})
    priors = np.maximum(variances.mean(axis=1), variances.mean())
    moved = (2 * priors + 2 * variances[:, 0]) / 4 / 3  # of the mean over three runs
    assert parts.runs[0] == pytest.approx(moved[0])
    assert [part.runs for part in parts.groups[1]] == [3, 3]
    items = parts.total[0] - moved[0]
    single = parts.total[0] ** 2 / (items**2 / 99 + moved[0] ** 2 / 4)
    assert parts.total_df[0] == pytest.approx(single)


def test_a_number_over_several_backbones_keeps_a_variance_above_that_of_its_lenders() -> None:
    table = table_of()
    gains = [against_first(table, b, n) for b in range(2) for n in (1, 2, 3)]
    variances = (100 * (SHARES[:, 1:] - SHARES[:, :1])).var(axis=2, ddof=1)
    question = [gains[1] * 0.5 - gains[4] * 0.5]
    own = variances[:, 1] / 3  # of the mean over three runs
    found = st.resample(table, question, resamples=2, seed=0)
    for noisy in (0, 1):
        # Lenders half as noisy as the question on one backbone, three times as noisy on the other.
        factors = [0.5, 3.0] if noisy == 0 else [3.0, 0.5]
        pool = st.Lenders({(str(b),): factors[b] * float(variances[b, 1]) for b in range(2)}, 0.0, 7)
        parts = st.moderate(table, question, found.components, {0: pool})
        drawn = (2 * 3.0 * own + 2 * own) / 4
        kept = np.where(np.arange(2) == noisy, own, drawn) / 4
        assert [part.variance for part in parts.groups[0]] == pytest.approx(kept)
        df = kept.sum() ** 2 / (kept**2 / np.where(np.arange(2) == noisy, 2.0, 4.0)).sum()
        assert parts.total_df[0] == pytest.approx(joint_df(parts.total[0], parts.items_df[0], parts.runs[0], df))


def test_too_few_lenders_and_single_runs_change_nothing() -> None:
    table = table_of()
    question = [against_first(table, 0, 1)]
    found = st.resample(table, question, resamples=2, seed=0)
    assert st.moderate(table, question, found.components, {0: st.Lenders({}, 9.0, 6)}) is found.components
    across = [against_first(table, 0, 1) - against_first(table, 1, 1)]
    assert st.lenders(table, across).count == 0, "a contrast of two backbones has no variance of one run"


def test_pairing_by_seed_takes_what_cells_of_one_run_share_out_of_a_gain() -> None:
    """Runs of one backbone and seed move together: their difference varies less than either."""
    ids = [f"{number:03d}" for number in range(100)]
    cells = []
    for group in ("", "backbone"):
        for name, lift in (("none", 0), ("nli", 10)):
            for seed, right in enumerate((40, 50, 60)):
                counts = np.stack([(np.arange(100) < right + lift).astype(int), np.ones(100, dtype=int)], axis=1)
                system = {"grouped": group, "name": name}
                cells.append(
                    st.CellCounts(
                        system=system,
                        seed=seed,
                        target="t",
                        language="en",
                        domain="t",
                        cluster_ids=ids,
                        counts=counts,
                        run_group=group,
                    )
                )
    table = st.build_table(cells, {"t": ACCURACY})
    gains = [
        st.gain(*(table.find(grouped=group, name=name)[0] for name in ("nli", "none")), "t", ["en"])
        for group in ("", "backbone")
    ]
    apart, together = st.resample(table, gains, resamples=2, seed=0).components.runs
    assert apart == pytest.approx(2 * 100 / 3)
    assert together == pytest.approx(0.0, abs=1e-12)


def test_degrees_of_freedom_of_sums() -> None:
    assert pooled_df([(2.0, 3.0), (2.0, 3.0)]) == pytest.approx(6.0)
    assert pooled_df([(2.0, 3.0), (0.0, 3.0)]) == pytest.approx(3.0)
    assert pooled_df([(0.0, 1.0)]) == math.inf
    one, zero = np.array([1.0]), np.array([0.0])
    assert joint_df(one, np.array([np.inf]), one, np.array([2.0])).tolist() == [2.0]
    assert joint_df(one, np.array([50.0]), zero, np.array([np.inf])).tolist() == [50.0]
    (df,) = joint_df(2 * one, np.array([50.0]), one, one)
    expected = (stats.t.ppf(0.975, 50.0) + stats.t.ppf(0.975, 1.0)) / 2
    assert stats.t.ppf(0.975, df) == pytest.approx(expected, rel=1e-6)
    assert np.isnan(joint_df(one, one, np.array([np.nan]), one)).all()


@pytest.mark.parametrize("df", [1.0, 2.0, 2.8, 5.0, 30.0, math.inf])
def test_detectable_effects_are_found_with_the_power_they_promise(df: float) -> None:
    effect = st.minimum_detectable_effect(1.0, df)
    rng = np.random.default_rng(0)
    spread = 1.0 if math.isinf(df) else np.sqrt(rng.chisquare(df, 400_000) / df)
    statistic = np.abs((effect + rng.normal(size=400_000)) / spread)
    critical = stats.norm.ppf(0.975) if math.isinf(df) else stats.t.ppf(0.975, df)
    assert (statistic > critical).mean() == pytest.approx(0.8, abs=0.003)


def test_a_p_value_of_exactly_alpha_rejects_everywhere() -> None:
    assert st.decide(p=0.05, alpha=0.05) == "difference found"
    assert st.decide(p=0.05 + 1e-13, alpha=1.0 - 0.95) == "difference found"
    assert st.decide(p=0.051, p_equivalent=0.05, alpha=0.05) == "equivalent"
    assert st.decide(p=None, p_equivalent=None, alpha=0.05) == "inconclusive"
