"""Inputs with the outputs of the official scorers (XTREME's SQuAD evaluation, seqeval), collected once."""

import json
from pathlib import Path

import pytest

from adapterxfer.metrics import METRICS, count_predictions
from adapterxfer.metrics.answers import normalise_answer

VECTORS = json.loads(Path(__file__).with_name("official_metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", VECTORS["tagging"], ids=lambda case: case["name"])
def test_tagging(case):
    predictions, golds = [" ".join(tags) for tags in case["pred"]], [" ".join(tags) for tags in case["gold"]]
    metric = METRICS["token_accuracy"]
    assert metric.score(count_predictions(metric, predictions, golds).sum(0)) == pytest.approx(case["token_accuracy"])
    if case["name"].startswith("ner"):
        metric = METRICS["span_f1"]
        assert metric.score(count_predictions(metric, predictions, golds).sum(0)) == pytest.approx(case["f1"])


@pytest.mark.parametrize(("text", "expected"), VECTORS["normalise"])
def test_normaliser(text, expected):
    assert normalise_answer(text) == expected


@pytest.mark.parametrize("case", VECTORS["answers"], ids=lambda case: f"{case['lang']}-{case['prediction']}")
def test_answers(case):
    counts = count_predictions(METRICS["qa_f1"], [case["prediction"]], [json.dumps(case["golds"])])
    assert counts[0].tolist() == pytest.approx([case["f1"], float(case["em"]), 1.0])
