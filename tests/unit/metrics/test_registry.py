"""Scores of sums, defaults, and counts from text."""

import numpy as np
import pytest

from adapterxfer.errors import DataError
from adapterxfer.metrics import DEFAULT_METRIC, METRICS, count_predictions, get_metric


def test_scores_are_vectorised_over_leading_axes():
    rng = np.random.default_rng(0)
    for metric in METRICS.values():
        sums = rng.integers(1, 50, size=(3, 2, len(metric.columns)))
        together = metric.score(sums)
        assert together.shape == (3, 2)
        assert together[1, 1] == pytest.approx(float(metric.score(sums[1, 1])))
        np.testing.assert_allclose(metric.score(sums * 7.5), together)


def test_known_scores():
    assert float(METRICS["accuracy"].score([3, 4])) == 75.0
    assert float(METRICS["span_f1"].score([1, 2, 4])) == pytest.approx(100 / 3)
    assert float(METRICS["span_f1"].score([0, 0, 0])) == 0.0
    assert float(METRICS["qa_f1"].score([1.5, 1, 4])) == 37.5
    assert float(METRICS["qa_f1"].extra_scores["em"]([1.5, 1, 4])) == 25.0
    assert np.isnan(METRICS["accuracy"].score([0, 0]))


def test_counts():
    assert count_predictions(METRICS["accuracy"], ["a", "b"], ["a", "c"]).tolist() == [[1, 1], [0, 1]]
    assert count_predictions(METRICS["token_accuracy"], ["A B C"], ["A C C"]).tolist() == [[2, 3]]
    assert count_predictions(METRICS["span_f1"], ["B-P I-P O I-L"], ["B-P O O B-L"]).tolist() == [[1, 2, 2]]
    assert count_predictions(METRICS["qa_f1"], ["the big dog"], ['["a dog", "cat"]']).tolist() == [[2 / 3, 0, 1]]
    assert count_predictions(METRICS["qa_f1"], [""], ["[]"]).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("name", ["token_accuracy", "span_f1"])
def test_wrong_number_of_tags_is_refused(name):
    with pytest.raises(DataError, match="example 1"):
        count_predictions(METRICS[name], ["O O", "O"], ["O O", "O O"])
    with pytest.raises(DataError, match="1 predictions for 2"):
        count_predictions(METRICS[name], ["O"], ["O", "O"])


def test_defaults_follow_the_format_and_the_tags():
    assert set(DEFAULT_METRIC.values()) <= set(METRICS)
    assert get_metric(None, format_name="tagging", labels=("O", "B-PER")).name == "span_f1"
    assert get_metric(None, format_name="tagging", labels=("NOUN", "VERB")).name == "token_accuracy"
    assert get_metric("accuracy", format_name="span_qa").name == "accuracy"
    with pytest.raises(DataError, match="metric 'bleu'"):
        get_metric("bleu", format_name="span_qa")
