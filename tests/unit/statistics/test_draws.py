"""Draws nested in runs: mean counts, and components of variance that come back from planted ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError


def test_mean_counts_give_the_mean_accuracy() -> None:
    rng = np.random.default_rng(0)
    draws = [np.stack([rng.random(50) < share, np.ones(50)], axis=1).astype(float) for share in (0.3, 0.6, 0.8)]
    accuracy = st.ratio_metric("accuracy", (1, 0), (0, 1))
    mean = st.mean_counts(draws)
    assert accuracy.score(mean.sum(0)) == pytest.approx(np.mean([accuracy.score(d.sum(0)) for d in draws]), abs=1e-12)
    assert (mean[:, 1] == 1.0).all(), "gold counts stay what they are"
    assert st.mean_counts(draws[:1]) is draws[0]


def test_mean_counts_of_an_f1_are_the_answers_of_all_draws() -> None:
    f1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), gold_columns=(2,))
    draws = [np.array([[2.0, 3.0, 4.0]]), np.array([[4.0, 5.0, 4.0]])]
    assert f1.score(st.mean_counts(draws).sum(0)) == pytest.approx(200 * 6 / (8 + 8))


def test_draws_of_other_items_are_refused() -> None:
    with pytest.raises(StatisticsError, match="same data"):
        st.mean_counts([np.ones((2, 2)), np.ones((3, 2))])
    with pytest.raises(StatisticsError):
        st.draw_components([[1.0], []])


def test_planted_components_come_back() -> None:
    rng = np.random.default_rng(1)
    parts = []
    for _ in range(400):
        runs = rng.normal(0, 2.0, 5)
        parts.append(st.draw_components([[run + rng.normal(0, 3.0) for _ in range(4)] for run in runs]))
    assert math.sqrt(np.mean([p.draw**2 for p in parts])) == pytest.approx(3.0, rel=0.05)
    assert math.sqrt(np.mean([p.seed**2 for p in parts])) == pytest.approx(2.0, rel=0.1)
    expected = math.sqrt((2.0**2 + 3.0**2 / 4) / 5)
    assert math.sqrt(np.mean([p.mean**2 for p in parts])) == pytest.approx(expected, rel=0.05)


def test_one_draw_or_one_run_leave_what_they_cannot_tell_open() -> None:
    single = st.draw_components([[50.0], [54.0], [52.0]])
    assert (single.draw, single.seed, single.runs, single.draws) == (None, 2.0, 3, 1)
    alone = st.draw_components([[50.0, 54.0]])
    assert (alone.seed, alone.mean) == (None, None)
    assert alone.draw == pytest.approx(math.sqrt(8.0))
    assert st.draw_components([[50.0, 54.0], [51.0, 53.0, 99.0]]).seed == 0.0, "never below zero; the shortest decides"
