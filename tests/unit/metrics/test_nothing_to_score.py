"""Zero over zero has one rule, whichever room computes it: a share of nothing is undefined, an F1 of nothing is 0."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer.metrics import METRICS
from adapterxfer.statistics import ratio_metric

F1 = ("span_f1", "chunk_f1", "duplicate_f1", "mining_f1")


def test_every_metric_follows_the_rule() -> None:
    shares = METRICS.keys() - set(F1)
    assert {"accuracy", "qa_f1", "map_at_20"} <= shares
    for name in shares:
        metric = METRICS[name]
        for score in (metric.score, *metric.extra_scores.values()):
            assert np.isnan(score(np.zeros(len(metric.columns)))), name
    for name in F1:
        metric = METRICS[name]
        assert metric.score(np.zeros(len(metric.columns))) == 0.0, name
        assert all(np.isnan(score(np.zeros(len(metric.columns)))) for score in metric.extra_scores.values()), name


def test_the_statistics_follow_the_same_rule() -> None:
    assert np.isnan(ratio_metric("accuracy", (1, 0), (0, 1)).score(np.zeros(2)))
    assert ratio_metric("span_f1", (2, 0, 0), (0, 1, 1)).score(np.zeros(3)) == 0.0


@pytest.mark.parametrize("name", ["accuracy", "span_f1", "qa_f1", "chunk_f1"])
def test_both_give_the_same_points_elsewhere(name: str) -> None:
    weights = {"accuracy": ((1, 0), (0, 1)), "span_f1": ((2, 0, 0), (0, 1, 1)), "qa_f1": ((1, 0, 0), (0, 0, 1)),
               "chunk_f1": ((2, 0, 0, 0, 0), (0, 1, 1, 0, 0))}[name]  # fmt: skip
    sums = np.random.default_rng(0).integers(1, 50, (20, len(weights[0]))).astype(float)
    np.testing.assert_allclose(METRICS[name].score(sums), ratio_metric(name, *weights).score(sums))


def test_seqeval_agrees() -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    with pytest.warns(UserWarning, match="ill-defined"):
        assert seqeval.f1_score([["O", "O"]], [["O", "O"]]) == 0.0
    assert METRICS["span_f1"].score(np.zeros(3)) == 0.0
