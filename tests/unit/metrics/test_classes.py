"""Scores over classes from summed counts, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer import statistics as st_
from adapterxfer.metrics import check_counts, check_metric, count_predictions, get_metric, gold_columns, read_metric

sklearn = pytest.importorskip("sklearn.metrics")

LABELS = ("bad", "fair", "good", "never")
NAMES = ("macro_f1", "weighted_f1", "mcc")


def reference(name: str, golds: list[str], predictions: list[str]) -> float:
    if name == "mcc":
        return 100.0 * float(sklearn.matthews_corrcoef(golds, predictions))
    return 100.0 * float(sklearn.f1_score(golds, predictions, average=name.removesuffix("_f1"), zero_division=0))


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40))
def test_the_score_of_summed_counts_is_the_one_of_scikit_learn(name: str, rows: list[tuple[str, str]]) -> None:
    predictions, golds = [p for p, _ in rows], [g for _, g in rows]
    metric = get_metric(name, format_name="sequence_classification", labels=LABELS)
    sums = count_predictions(metric, predictions, golds).sum(axis=0)
    assert float(metric.score(sums)) == pytest.approx(reference(name, golds, predictions), abs=1e-9)
    assert float(metric.extra_scores["accuracy"](sums)) == pytest.approx(100 * np.mean([p == g for p, g in rows]))


@pytest.mark.parametrize("name", NAMES)
def test_resampled_examples_are_weights_of_rows(name: str) -> None:
    rng = np.random.default_rng(0)
    golds = rng.choice(LABELS[:3], size=60).tolist()
    predictions = [g if rng.random() < 0.6 else str(rng.choice(LABELS[:3])) for g in golds]
    metric = get_metric(name, format_name="sequence_classification", labels=LABELS)
    counts = count_predictions(metric, predictions, golds)
    draws = rng.integers(0, 60, size=(5, 60))
    weights = np.stack([np.bincount(draw, minlength=60) for draw in draws])
    for draw, score in zip(draws, metric.score(weights @ counts), strict=True):
        drawn = ([golds[i] for i in draw], [predictions[i] for i in draw])
        assert float(score) == pytest.approx(reference(name, *drawn), abs=1e-9)
    check_metric(metric, list(zip(predictions, golds, strict=True)))


def test_an_anticorrelated_system_scores_below_zero_and_nothing_scores_nan() -> None:
    metric = get_metric("mcc", format_name="sequence_classification", labels=("no", "yes"))
    counts = count_predictions(metric, ["yes", "no"], ["no", "yes"])
    assert float(metric.score(counts.sum(axis=0))) == pytest.approx(-100.0)
    assert metric.lowest == -100.0
    for name in NAMES:
        metric = get_metric(name, format_name="sequence_classification", labels=("no", "yes"))
        assert np.isnan(metric.score(np.zeros(6)))


def test_the_columns_of_a_file_say_how_many_classes_there_are() -> None:
    metric = get_metric("macro_f1", format_name="sequence_classification", labels=LABELS)
    again = read_metric("macro_f1", metric.columns)
    assert again.columns == metric.columns
    assert [metric.columns[i] for i in gold_columns(again)] == [f"gold_{k}" for k in range(4)]
    assert check_counts(again, np.eye(12)[:2], where="here").shape == (2, 12)


def test_intervals_of_a_correlation_reach_below_zero() -> None:
    rng = np.random.default_rng(1)
    golds = rng.choice(("no", "yes"), size=120).tolist()
    turned = {"no": "yes", "yes": "no"}
    metric = get_metric("mcc", format_name="sequence_classification", labels=("no", "yes"))
    cells = []
    for system, wrong in (("bad", 0.7), ("good", 0.2)):
        answers = [turned[gold] if rng.random() < wrong else gold for gold in golds]
        cells.append(
            st_.CellCounts(
                system={"system": system},
                seed=1,
                target="t",
                language="sw",
                domain="t",
                cluster_ids=np.array([str(k) for k in range(120)]),
                counts=count_predictions(metric, answers, golds),
            )
        )
    scored = st_.SumScore("t", metric.score, gold_columns=gold_columns(metric), lowest=metric.lowest)
    table = st_.build_table(cells, {"t": scored})
    bad, good = (st_.score(st_.System.of({"system": name}), "t", "sw") for name in ("bad", "good"))
    replicates = st_.resample(table, [bad, good - bad], resamples=500, seed=0)
    alone, difference = st_.estimates(table, replicates, scope="items")
    assert alone.low < alone.value < 0.0
    assert alone.low >= -100.0
    assert difference.value > 60.0
    assert difference.low < difference.value < difference.high
