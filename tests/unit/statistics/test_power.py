"""Planning: what a study of so many items and seeds is promised to find, its own test finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from adapterxfer import statistics as st
from adapterxfer.statistics.freedom import joint_df


def found(items: int, discordance: float, effect: float, *, seeds: int, seed_sd: float, tests: int = 1) -> float:
    """How often families of differences, all of this size, have one found by Holm's first step, over drawn studies.

    Each study draws an estimate over items and the runs of both systems, paired by seed, and judges it by the sum of
    the two estimated variances with the degrees of freedom that `st.components` gives it.
    """
    rng = np.random.default_rng(8)
    shape = (40_000 // tests, tests)
    over_items = 1e4 * (discordance - (effect / 100.0) ** 2) / items
    runs = rng.normal(0.0, math.sqrt(2.0) * seed_sd, (*shape, seeds))
    estimates = effect + rng.normal(0.0, math.sqrt(over_items), shape) + runs.mean(axis=-1)
    runs_variance = runs.var(axis=-1, ddof=1) / seeds
    items_variance = over_items * rng.chisquare(items - 1, shape) / (items - 1)
    total = items_variance + runs_variance
    df = joint_df(total, np.array(items - 1.0), runs_variance, np.array(seeds - 1.0))
    if tests > 1 and seeds < 5:
        df = np.minimum(df, df.min(axis=1, keepdims=True))
    p = 2.0 * special.stdtr(df, -np.abs(estimates) / np.sqrt(total))
    return float((p <= 0.05 / tests).mean())


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("items", "seed_sd"), [(1190, 0.5), (1190, 1.5), (200, 1.0)])
def test_what_is_promised_is_found(items: int, seed_sd: float, seeds: int) -> None:
    """A normal distribution promised .80 where two seeds have .29, three .51 and five .71."""
    smallest = st.detectable_paired(items, 0.3, seeds=seeds, seed_sd=seed_sd)
    assert found(items, 0.3, smallest, seeds=seeds, seed_sd=seed_sd) == pytest.approx(0.8, abs=0.02)
    half = st.power_paired(items, 0.3, smallest / 2.0, seeds=seeds, seed_sd=seed_sd)
    assert found(items, 0.3, smallest / 2.0, seeds=seeds, seed_sd=seed_sd) == pytest.approx(half, abs=0.02)


@pytest.mark.parametrize(("seeds", "tests"), [(3, 5), (3, 10), (4, 10), (5, 10), (10, 20)])
def test_what_is_promised_in_a_family_is_found(seeds: int, tests: int) -> None:
    smallest = st.detectable_paired(1190, 0.5, seeds=seeds, seed_sd=1.0, tests=tests)
    assert found(1190, 0.5, smallest, seeds=seeds, seed_sd=1.0, tests=tests) == pytest.approx(0.8, abs=0.02)
    alone = st.detectable_paired(1190, 0.5, seeds=seeds, seed_sd=1.0)
    assert smallest > alone
    assert st.power_paired(1190, 0.5, alone, seeds=seeds, seed_sd=1.0, tests=tests) < 0.75


def test_nothing_is_promised_where_no_verdict_can_be_had() -> None:
    assert st.power_paired(1190, 0.9, 80.0, seeds=1, seed_sd=1.0) == 0.0
    assert st.power_paired(1190, 0.9, 80.0, seeds=2, seed_sd=1.0, tests=2) == 0.0
    assert st.power_paired(9, 0.9, 80.0) == 0.0
    assert math.isinf(st.detectable_paired(1190, 0.9, seeds=2, seed_sd=1.0, tests=2))
    assert st.power_paired(1190, 0.0, 0.0) == 0.0


def test_no_effect_is_promised_that_the_discordance_rules_out() -> None:
    """200 items on 2 % of which systems differ: 2.80 points were promised, more than the 2.00 there can be."""
    assert math.isinf(st.detectable_paired(200, 0.02))
    smallest = st.detectable_paired(2000, 0.02)
    assert 0.5 < smallest < 2.0
    assert st.power_paired(2000, 0.02, smallest) == pytest.approx(0.8, abs=1e-6)
