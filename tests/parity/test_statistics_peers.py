"""The equality cases that need other tools: statsmodels, seqeval, sacrebleu, deepsig, and stored values of rliable."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics.engine import block_scores
from adapterxfer.statistics.intervals import interval, t_p
from adapterxfer.statistics.weights import Weights

MEAN = st.ratio_metric("mean", (1, 0), (0, 1), points=1.0)
F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), points=1.0)


def single(counts: np.ndarray, metric: st.SumScore, clusters: list[str] | None = None) -> st.ScoreTable:
    ids = clusters or [f"{index:04d}" for index in range(len(counts))]
    return st.build_table(
        [
            st.CellCounts(
                system={"name": "a"}, seed=1, target="t", language="en", domain="t", cluster_ids=ids, counts=counts
            )
        ],
        {"t": metric},
    )


def given(table: st.ScoreTable, drawn: np.ndarray) -> np.ndarray:
    """Replicates of the only cell under somebody else's draws, shape ``(resamples, examples)``."""
    multiples = np.stack([np.bincount(row, minlength=drawn.shape[1]) for row in drawn])
    return block_scores(table, table.domains[0], Weights(multiples, 0.0, 1.0))[:, 0]


def test_case_1_corpus_f1_with_the_draws_of_scipy() -> None:
    rng = np.random.default_rng(11)
    gold = rng.integers(0, 4, 300)
    tp = rng.binomial(gold, 0.7)
    predicted = tp + rng.integers(0, 2, 300)
    table = single(np.stack([tp, predicted, gold], axis=1), F1)
    ours = given(table, np.random.default_rng(11).integers(0, 300, (4000, 300)))

    def f1(a: np.ndarray, b: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return 2.0 * a.sum(axis=axis) / (b.sum(axis=axis) + c.sum(axis=axis))

    common = {"paired": True, "vectorized": True, "n_resamples": 4000, "batch": 4000}
    for kind in ("percentile", "basic"):
        theirs = stats.bootstrap((tp, predicted, gold), f1, method=kind, rng=np.random.default_rng(11), **common)
        np.testing.assert_array_equal(ours, theirs.bootstrap_distribution)
        assert ours.std(ddof=1) == theirs.standard_error
        low, high = interval(ours, float(table.scores[0]), kind=kind)
        expected = theirs.confidence_interval
        assert (low, high) == (pytest.approx(expected.low, abs=2e-15), pytest.approx(expected.high, abs=2e-15))


def bleu(sums: np.ndarray) -> np.ndarray:
    """Corpus BLEU in points from summed statistics (hypothesis length, reference length, matches, totals)."""
    with np.errstate(divide="ignore"):
        logs = np.log(sums[..., 2:6] / sums[..., 6:10]).mean(axis=-1)
        brevity = np.minimum(0.0, 1.0 - sums[..., 1] / sums[..., 0])
    return 100.0 * np.exp(logs + brevity)


def sacrebleu_study() -> tuple[list[str], list[str], list[str]]:
    rng = random.Random(5)
    words = [f"w{number}" for number in range(20)]
    references = [" ".join(rng.choice(words) for _ in range(12)) for _ in range(200)]

    def damage(share: float) -> list[str]:
        return [" ".join(w if rng.random() > share else rng.choice(words) for w in r.split()) for r in references]

    return references, damage(0.30), damage(0.345)


def test_case_8_seqeval_is_f1_of_summed_counts() -> None:
    pytest.importorskip("seqeval")
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2, Entities

    rng = np.random.default_rng(8)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold = [[tags[i] for i in rng.integers(0, 5, rng.integers(3, 15))] for _ in range(150)]
    guess = [[t if rng.random() < 0.8 else tags[rng.integers(0, 5)] for t in row] for row in gold]
    spans = [[{e.to_tuple()[1:] for e in Entities([row], IOB2).entities[0]} for row in side] for side in (gold, guess)]
    counts = np.array([[len(g & p), len(p), len(g)] for g, p in zip(*spans, strict=True)])
    table = single(counts, F1)
    assert table.scores[0] == pytest.approx(f1_score(gold, guess, mode="strict", scheme=IOB2), rel=1e-12)


def test_case_9_adjustments_equal_statsmodels() -> None:
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    values = np.random.default_rng(9).random(40) ** 3
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh"), ("by", "fdr_by")):
        np.testing.assert_allclose(st.adjust(values, ours), multipletests(values, method=theirs)[1], rtol=1e-12)
        small = [0.01, 0.04, 0.03, 0.005]
        np.testing.assert_allclose(st.adjust(small, ours), multipletests(small, method=theirs)[1], rtol=1e-12)


def test_case_4_mcnemar_equals_statsmodels() -> None:
    mcnemar = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    for first, second in ((37, 19), (8, 2), (60, 60)):
        assert st.mcnemar(first, second).p == pytest.approx(mcnemar([[50, first], [second, 9]]).pvalue, rel=1e-10)


def test_case_11_clustered_error_equals_statsmodels() -> None:
    linear_model = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, 40)
    correct = (rng.normal(0, 1, (40, 5)) + level[:, None] > 0).astype(int).ravel()
    table = single(np.stack([correct, np.ones(200, int)], axis=1), MEAN, [f"{i // 5:03d}" for i in range(200)])
    ours = st.resample(table, [st.score(table.systems[0], "t", "en")], resamples=2, seed=0).components.items[0]
    theirs = linear_model.OLS(correct.astype(float), np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(200) // 5, "use_correction": True}
    )
    # Theirs also multiplies by (n - 1) / (n - 1) = 1 for a single coefficient.
    assert np.sqrt(ours) == pytest.approx(theirs.bse[0], rel=1e-10)


def test_case_12_two_one_sided_tests_equal_statsmodels() -> None:
    ttost_paired = pytest.importorskip("statsmodels.stats.weightstats").ttost_paired
    rng = np.random.default_rng(6)
    x = rng.normal(0.1, 1.0, 50)
    gap = x - (x + rng.normal(0.05, 0.5, 50))
    error = gap.std(ddof=1) / math.sqrt(50)
    p = max(
        t_p(gap.mean(), error, 49, null=-0.3, alternative="greater"),
        t_p(gap.mean(), error, 49, null=0.3, alternative="less"),
    )
    assert p == pytest.approx(ttost_paired(gap, np.zeros(50), -0.3, 0.3)[0], rel=1e-10)
