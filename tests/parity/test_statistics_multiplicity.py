"""Adjusted p-values against scipy and against an exact enumeration of sign flips."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import stats

from adapterxfer.statistics.multiplicity import adjust, step_down_p

RAW = [0.01, 0.04, 0.03, 0.005]


def test_holm_keeps_the_order_of_its_input_and_is_monotone() -> None:
    np.testing.assert_allclose(adjust(RAW, "holm"), [0.03, 0.06, 0.06, 0.02], rtol=1e-14)


def test_false_discovery_rates_equal_scipy() -> None:
    values = np.random.default_rng(1).random(50) ** 2
    for method in ("bh", "by"):
        expected = stats.false_discovery_control(values, method=method)
        np.testing.assert_allclose(adjust(values, method), expected, rtol=1e-13)
    np.testing.assert_allclose(adjust(RAW, "bh"), [0.02, 0.04, 0.04, 0.02], rtol=1e-14)
    np.testing.assert_allclose(adjust(RAW, "by"), [0.0416667, 0.0833333, 0.0833333, 0.0416667], rtol=1e-5)


def test_step_down_equals_the_enumeration_of_all_sign_flips() -> None:
    data = np.array(
        [[3, 1, 0, 2], [-1, 2, 1, 1], [4, -1, 2, 0], [2, 2, -1, 1], [1, 0, 3, -2], [5, 1, 1, 1], [-2, 3, 0, 2],
         [3, 1, -1, 1]], dtype=float,
    )  # fmt: skip
    signs = np.array(list(itertools.product([1, -1], repeat=8)), dtype=float)
    root = np.sqrt((data**2).sum(axis=0))
    null = np.abs(signs @ data) / root
    observed = np.abs(data.sum(axis=0)) / root
    raw = (null >= observed - 1e-12).mean(axis=0)
    np.testing.assert_array_equal(raw, [0.09375, 0.078125, 0.375, 0.21875])
    # 256 draws contain the identity, so the exact value needs no "+1".
    exact = (step_down_p(observed, null) * 257 - 1) / 256
    np.testing.assert_allclose(exact, [0.203125, 0.203125, 0.375, 0.3515625], rtol=1e-12)
