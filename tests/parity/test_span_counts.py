"""Span counting against seqeval on random tag sequences, malformed ones included."""

import numpy as np
import pytest

from adapterxfer.metrics import METRICS, count_predictions
from adapterxfer.metrics.chunks import chunk_counts
from adapterxfer.metrics.spans import span_counts, tag_spans

scheme = pytest.importorskip("seqeval.metrics")


def test_agrees_with_seqeval_on_malformed_tags():
    from seqeval.metrics.sequence_labeling import get_entities

    rng = np.random.default_rng(11)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X-Y", "I-X-Y"]
    metric = METRICS["span_f1"]
    for _ in range(200):
        lengths = rng.integers(1, 9, size=4)
        gold, predicted = ([[tags[i] for i in rng.integers(len(tags), size=n)] for n in lengths] for _ in range(2))
        counts = count_predictions(metric, [" ".join(s) for s in predicted], [" ".join(s) for s in gold])
        expected = 100 * scheme.f1_score(gold, predicted, zero_division=0)
        assert float(metric.score(counts.sum(0))) == pytest.approx(expected, abs=1e-9)
        for sentence in gold:
            mine = [(kind, start, stop - 1) for start, stop, kind in tag_spans(sentence)]
            assert mine == get_entities(sentence)


def test_spans_of_a_study_are_the_chunks_of_xtremes_scorer():
    """On BIO tags, also malformed ones, lenient spans and seqeval 0.0.12's chunks are the same numbers."""
    rng = np.random.default_rng(11)
    tags = ["O", *(f"{mark}-{kind}" for mark in "BI" for kind in ("PER", "ORG", "LOC"))]
    for _ in range(1000):
        size = int(rng.integers(1, 12))
        prediction, gold = (" ".join(rng.choice(tags, size)) for _ in range(2))
        assert span_counts(prediction, gold) == chunk_counts(prediction, gold)[:3]
