"""LogME against a direct numerical maximisation of the evidence as the paper defines it, and against its limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.logme import logme, logme_regression


def log_density(features: Any, target: Any, alpha: float, beta: float) -> float:
    """Log of the marginal density of y, a normal with covariance I / beta + F F' / alpha: no weights, no A, no m."""
    n = len(target)
    covariance = np.eye(n) / beta + features @ features.T / alpha
    sign, determinant = np.linalg.slogdet(covariance)
    assert sign > 0
    return float(-(n * np.log(2 * np.pi) + determinant + target @ np.linalg.solve(covariance, target)) / 2)


def largest(features: Any, target: Any) -> float:
    """Its largest value over a grid of starts, each followed by a simplex search over (log alpha, log beta)."""
    best = -np.inf
    scale = float((features**2).sum() / len(features))
    for ratio in (-6.0, -2.0, 1.0, 4.0, 8.0):
        start = (np.log(scale) + ratio, -np.log(target.var() + 1e-3))
        search = minimize(
            lambda logs: -log_density(features, target, *np.exp(np.clip(logs, -40, 40))),
            start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000},
        )  # fmt: skip
        best = max(best, -float(search.fun))
    return best / len(target)


def draw(n: int, d: int, *, signal: float, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d)) * rng.uniform(0.1, 3, size=d) + 0.3
    return features, signal * (features @ rng.normal(size=d)) / np.sqrt(d) + rng.normal(size=n)


@pytest.mark.parametrize(
    ("n", "d", "signal", "seed"), [(60, 5, 1.0, 1), (60, 5, 0.05, 2), (40, 12, 0.5, 3), (30, 45, 0.7, 4)]
)
def test_regression_is_the_largest_evidence(n: int, d: int, signal: float, seed: int) -> None:
    features, target = draw(n, d, signal=signal, seed=seed)
    assert logme_regression(features, target) == pytest.approx(largest(features, target), abs=1e-6)


def test_several_targets_are_the_mean_of_each() -> None:
    features, first = draw(40, 6, signal=1.0, seed=5)
    second = draw(40, 6, signal=0.2, seed=6)[1]
    both = logme_regression(features, np.stack([first, second], axis=1))
    each = [logme_regression(features, target) for target in (first, second)]
    assert both == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize(("d", "classes", "seed"), [(4, 2, 1), (8, 3, 2), (20, 4, 3)])
def test_classification_is_the_mean_of_one_against_the_rest(d: int, classes: int, seed: int) -> None:
    features, score = draw(50, d, signal=1.0, seed=seed)
    labels = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    expected = np.mean([largest(features, (labels == label).astype(float)) for label in range(classes)])
    assert logme(features, np.array([f"c{label}" for label in labels])) == pytest.approx(expected, abs=1e-6)


def test_useless_features_have_the_evidence_of_noise_alone() -> None:
    """The best alpha is infinite where features and labels have nothing to do with each other."""
    rng = np.random.default_rng(7)
    target = rng.normal(size=80)
    features = rng.normal(size=(80, 3))
    features -= np.outer(target, target @ features) / (target @ target)
    noise = -(np.log(2 * np.pi * np.mean(target**2)) + 1) / 2
    assert logme_regression(features, target) == pytest.approx(noise, abs=1e-6)


def test_better_features_score_higher_and_noise_columns_do_not_help() -> None:
    features, target = draw(80, 4, signal=2.0, seed=8)
    noise = np.random.default_rng(9).normal(size=(80, 30))
    alone = logme_regression(features, target)
    assert alone > logme_regression(np.hstack([features, noise]), target) > logme_regression(noise, target)


def test_rank_deficient_features() -> None:
    features, target = draw(40, 3, signal=1.0, seed=10)
    doubled = np.hstack([features, features, np.zeros((40, 1))])
    assert logme_regression(doubled, target) == pytest.approx(largest(doubled, target), abs=1e-6)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.ones((4, 2)), ["a"] * 4, "1 class"),
        (np.ones((4, 2)), ["a", "b"], "shape"),
        (np.full((2, 2), np.nan), ["a", "b"], "not finite"),
        (np.eye(8)[:, :2] + np.eye(8)[:, 2:4], [1, 0, 1, 0, 0, 0, 0, 0], "exact linear function"),
    ],
)
def test_refusals(features: Any, labels: Any, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        logme(features, np.asarray(labels))
