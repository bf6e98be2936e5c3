"""Inputs with the outputs of the official scorers (XTREME at commit 838c13b, seqeval 0.0.12), collected once."""

import json
from pathlib import Path

import numpy as np
import pytest

from adapterxfer.metrics import METRICS, count_predictions, mlqa, retrieval
from adapterxfer.metrics.answers import normalise_answer
from adapterxfer.metrics.chunks import count_chunks

VECTORS = json.loads(Path(__file__).with_name("official_metrics.json").read_text(encoding="utf-8"))
EXACT = {"rel": 0, "abs": 1e-9}


def points(name: str, predictions: list[str], golds: list[str]) -> float:
    metric = METRICS[name]
    return float(metric.score(count_predictions(metric, predictions, golds).sum(0)))


@pytest.mark.parametrize("case", VECTORS["tagging"], ids=lambda case: case["name"])
def test_tagging(case):
    predictions, golds = [" ".join(tags) for tags in case["pred"]], [" ".join(tags) for tags in case["gold"]]
    assert points("token_accuracy", predictions, golds) == pytest.approx(case["token_accuracy"], **EXACT)
    if case["name"].startswith("ner"):
        assert points("span_f1", predictions, golds) == pytest.approx(case["f1"], **EXACT)
    metric = METRICS["chunk_f1"]
    counts = count_predictions(metric, predictions, golds)
    tp, predicted, gold, _, _ = counts.sum(0)
    assert float(metric.score(counts.sum(0))) == pytest.approx(case["old"]["f1"], **EXACT)
    assert 100 * tp / predicted == pytest.approx(case["old"]["precision"], **EXACT)
    assert 100 * tp / gold == pytest.approx(case["old"]["recall"], **EXACT)
    assert float(metric.extra_scores["token_accuracy"](counts.sum(0))) == pytest.approx(case["token_accuracy"], **EXACT)


@pytest.mark.parametrize("case", VECTORS["tagging"], ids=lambda case: case["name"])
def test_tagging_all_sentences_at_once(case):
    tags = sorted({tag for side in ("pred", "gold") for sentence in case[side] for tag in sentence})
    lengths = [len(sentence) for sentence in case["gold"]]
    sides = [
        np.array([tags.index(tag) for sentence in case[side] for tag in sentence], dtype=np.int32)
        for side in ("pred", "gold")
    ]
    starts = np.cumsum([0, *lengths[:-1]])
    metric = METRICS["chunk_f1"]
    one_by_one = count_predictions(metric, [" ".join(s) for s in case["pred"]], [" ".join(s) for s in case["gold"]])
    np.testing.assert_array_equal(count_chunks(*sides, tags, starts), one_by_one)


@pytest.mark.parametrize(("text", "expected"), VECTORS["normalise"])
def test_normaliser(text, expected):
    assert normalise_answer(text) == expected


@pytest.mark.parametrize(("language", "text", "expected"), VECTORS["mlqa_normalise"])
def test_mlqa_normaliser(language, text, expected):
    assert mlqa.normalise_answer(text, language) == expected


@pytest.mark.parametrize("case", VECTORS["answers"], ids=lambda case: f"{case['lang']}-{case['prediction']}")
def test_answers(case):
    counts = count_predictions(METRICS["qa_f1"], [case["prediction"]], [json.dumps(case["golds"])])
    assert counts[0].tolist() == pytest.approx([case["f1"], float(case["em"]), 1.0], **EXACT)


@pytest.mark.parametrize("case", VECTORS["mlqa_answers"], ids=lambda case: f"{case['lang']}-{case['prediction']}")
def test_mlqa_answers(case):
    gold = [json.dumps(case["golds"])]
    counts = count_predictions(METRICS["mlqa_f1"], [case["prediction"]], gold, languages=[case["lang"]])
    assert counts[0].tolist() == pytest.approx([case["f1"], float(case["em"]), 1.0], **EXACT)


def test_bucc_pairs():
    # Counts of single source sentences: one row each, precision from distinct pairs.
    predictions = {"de-1": "en-1", "de-2": "en-9", "de-3": ""}
    golds = {"de-1": '["en-1"]', "de-2": '["en-2"]', "de-3": '["en-3"]'}
    assert points("mining_f1", list(predictions.values()), list(golds.values())) == pytest.approx(40.0, **EXACT)


def test_bucc_threshold():
    case = VECTORS["bucc_threshold"]
    scores = {(source, target): score for source, target, score in case["cand2score"]}
    gold = {tuple(line.split("\t")) for line in case["gold"]}
    threshold = retrieval.best_threshold(scores, gold)
    assert threshold == pytest.approx(case["official_threshold"], **EXACT)
    assert sum(score >= threshold for score in scores.values()) == case["n_extracted"]


def test_mining():
    case = VECTORS["mine_bitext_ratio_margin_k4_max"]
    found = retrieval.mine(case["x"], case["y"])
    assert [(f"s{x}", f"t{y}") for _, x, y in found] == [(source, target) for _, source, target in case["official"]]
    expected = [float(score) for score, _, _ in case["official"]]
    assert [score for score, _, _ in found] == pytest.approx(expected, **EXACT)


def test_tatoeba_direction():
    case = VECTORS["tatoeba_similarity_search"]
    foreign, english = case["index_x_foreign"], case["query_y_english"]
    assert retrieval.search(foreign, english).tolist() == case["official_pred_foreign_idx_per_english"]
    assert retrieval.search(english, foreign).tolist() == case["reverse_direction"]


def test_mewslix():
    case = VECTORS["mewslix"]
    predictions = [json.dumps(case["pred"].get(name, [])) for name in case["gold"]]
    found = points("map_at_20", predictions, [json.dumps(gold) for gold in case["gold"].values()])
    assert found == pytest.approx(100 * case["official_mrr20"], **EXACT)


@pytest.mark.parametrize("case", VECTORS["lareqa_ap_at_k"])
def test_lareqa(case):
    found = retrieval.average_precision(case["ranked"], set(case["targets"]), case["k"])
    assert found == pytest.approx(case["official"], **EXACT)
