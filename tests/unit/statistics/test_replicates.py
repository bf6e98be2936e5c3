"""The methods of `Replicates` give what the functions behind them give."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError

SIZES = (6e4, 1.5e5, 4.5e5)


@pytest.fixture(scope="module")
def study():
    """Three sizes, with and without an intermediate task, in three parallel languages; the gain falls with size."""
    rng = np.random.default_rng(0)
    ids = [f"{number:03d}" for number in range(150)]
    easy = rng.normal(0.0, 1.0, 150)
    cells = []
    for size, gain in zip(SIZES, (1.2, 0.6, 0.1), strict=True):
        for intermediate in ("none", "nli"):
            for seed in (1, 2, 3):
                luck = 0.1 * rng.normal()
                for language in ("sw", "tr", "yo"):
                    lift = luck + (gain if intermediate == "nli" else 0.0)
                    right = (easy + rng.normal(0.0, 1.0, 150) + lift > 0).astype(int)
                    counts = np.stack([right, np.ones(150, dtype=int)], axis=1)
                    labels = {"size": size, "intermediate": intermediate}
                    cells.append(st.CellCounts(labels, seed, "xnli", language, "xnli", ids, counts))
    table = st.build_table(cells, {"xnli": st.ratio_metric("accuracy", (1, 0), (0, 1))})
    sizes = [_gain(table, size, table.languages("xnli")) for size in SIZES]
    first = [_gain(table, SIZES[0], (code,)) for code in table.languages("xnli")]
    contrasts = [st.slope(sizes, SIZES), *sizes, *first]
    return table, st.resample(table, contrasts, resamples=1200, seed=4)


def _gain(table: st.ScoreTable, size: float, languages: tuple[str, ...]) -> st.Contrast:
    (nli,), (none,) = (table.find(size=size, intermediate=name) for name in ("nli", "none"))
    return st.gain(nli, none, "xnli", languages)


def test_errors_and_degrees_of_freedom(study) -> None:
    _, found = study
    np.testing.assert_allclose(found.standard_errors(), found.replicates.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.analytic_errors() ** 2, found.components.items)
    np.testing.assert_allclose(found.analytic_errors(scope="items+runs") ** 2, found.components.total)
    np.testing.assert_allclose(found.standard_errors(), found.analytic_errors(), rtol=0.1)
    np.testing.assert_array_equal(found.df, found.components.items_df)


def test_estimates_are_those_of_the_function(study) -> None:
    table, found = study
    assert found.estimates(scope="items+runs", level=0.9) == st.estimates(table, found, scope="items+runs", level=0.9)


@pytest.mark.parametrize("kind", ["symmetric", "percentile", "basic", "t", "bca", "student"])
def test_every_kind_of_interval(study, kind: str) -> None:
    table, found = study
    few = st.resample(table, found.contrasts[1:3], resamples=600, seed=4)
    narrow, wide = few.ci(kind, level=0.8), few.ci(kind)
    assert narrow.shape == (2, 2)
    assert (wide[:, 0] < narrow[:, 0]).all()
    assert (narrow[:, 0] < few.values).all()
    assert (few.values < narrow[:, 1]).all()
    if kind == "bca":
        assert tuple(wide[1]) == tuple(st.bca_interval(table, few, 1))
    if kind == "student":
        made = st.bootstrap_t_interval(table, few.contrasts[1], resamples=600, seed=4)
        assert tuple(wide[1]) == tuple(made)


def test_simultaneous_intervals_contain_the_single_ones(study) -> None:
    _, found = study
    single, joint = found.ci(), found.ci(simultaneous=True)
    assert (joint[:, 0] <= single[:, 0]).all()
    assert (joint[:, 1] >= single[:, 1]).all()
    with pytest.raises(StatisticsError, match="simultaneous intervals of kind 't'"):
        found.ci("t", simultaneous=True)


def test_adjusted_p_values_by_method_and_family(study) -> None:
    _, found = study
    raw = found.p_values()
    for method in ("romano_wolf", "max_t", "holm", "bh", "by"):
        adjusted = found.adjust(method)
        assert (adjusted >= raw - 1e-12).all(), method
        assert (adjusted <= 1.0).all(), method
    np.testing.assert_array_equal(found.adjust("holm"), st.adjust(raw, "holm"))
    np.testing.assert_array_equal(found.adjust(), np.maximum(st.step_down(found), raw))
    assert (found.adjust("max_t") >= found.adjust("romano_wolf") - 1e-12).all()
    alone = found.adjust("holm", families=[f"family {number}" for number in range(len(raw))])
    np.testing.assert_array_equal(alone, raw)
    split = found.adjust("holm", families=["a", *["b"] * 3, *["c"] * 3])
    np.testing.assert_array_equal(split[1:4], st.adjust(raw[1:4], "holm"))
    with pytest.raises(StatisticsError, match="7 contrasts in 2 families"):
        found.adjust(families=["a", "b"])


def test_max_t_is_dual_to_simultaneous_intervals(study) -> None:
    _, found = study
    joint = found.ci(simultaneous=True)
    excludes = (joint[:, 0] > 0) | (joint[:, 1] < 0)
    np.testing.assert_array_equal(st.max_t(found) <= 0.05, excludes)


def test_equivalence_ranks_and_detectable_effects(study) -> None:
    table, found = study
    rows = st.estimates(table, found, scope="items+runs")
    tests = found.equivalence(3.0, scope="items+runs")
    assert tests == tuple(st.equivalence(row, found, n, margin=3.0) for n, row in enumerate(rows))
    assert found.noninferior(3.0, scope="items+runs") == tuple(test.non_inferior for test in tests)
    assert found.noninferior(3.0)[1], "the smallest backbone gains a lot"
    assert not found.noninferior(3.0)[0], "the slope is far below -3"
    scores = [st.score(system, "xnli", "sw") for system in table.systems]
    many = st.resample(table, scores, resamples=600, seed=1)
    assert many.ranks() == st.rank_intervals(many)
    assert many.best_set() == st.best_set(st.rank_intervals(many))
    assert len(many.ranks([0, 1])) == 2
    expected = [
        st.minimum_detectable_effect(row.standard_error, row.df, power=0.9) for row in st.estimates(table, found)
    ]
    np.testing.assert_array_equal(found.detectable(power=0.9), expected)


def test_ladder_from_the_same_replicates(study) -> None:
    table, found = study
    trend = found.ladder(0, sizes=(1, 2, 3), parameters=SIZES)
    made = st.ladder(table, found.contrasts[0], sizes=found.contrasts[1:4], parameters=SIZES, resamples=1200, seed=4)
    assert trend == made
    assert trend[2].missing
    assert not trend[3].missing
    mean = found.ladder(1, languages=(4, 5, 6))
    assert not mean[2].missing
    assert mean[3].missing
    with pytest.raises(StatisticsError, match="the mean over languages"):
        found.ladder(2, languages=(4, 5, 6))
