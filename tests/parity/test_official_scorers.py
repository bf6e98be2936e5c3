"""1,000 random cases each against seqeval, scikit-learn, and the definition of the SQuAD v1.1 paper written plainly."""

import json
import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as binary_f1

from adapterxfer.metrics import METRICS, count_predictions
from adapterxfer.metrics.chunks import chunk_spans, count_chunks
from adapterxfer.metrics.retrieval import average_precision

CASES = 1000
BIO = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def corpus(rng: np.random.Generator, tags: tuple[str, ...]) -> list[list[str]]:
    return [[str(tag) for tag in rng.choice(tags, size=int(n))] for n in rng.integers(1, 9, size=rng.integers(1, 6))]


def points(name: str, predictions: list[str], golds: list[str]) -> float:
    metric = METRICS[name]
    return float(metric.score(count_predictions(metric, predictions, golds).sum(0)))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_spans_equal_seqeval():
    rng = np.random.default_rng(0)
    for _ in range(CASES):
        gold = corpus(rng, BIO)
        predicted = [[str(rng.choice(BIO)) if rng.random() < 0.4 else tag for tag in sentence] for sentence in gold]
        lines = [[" ".join(sentence) for sentence in side] for side in (predicted, gold)]
        expected = 100 * float(f1_score(gold, predicted))
        assert points("span_f1", *lines) == pytest.approx(expected, rel=0, abs=1e-9)
        assert points("chunk_f1", *lines) == pytest.approx(expected, rel=0, abs=1e-9)


def test_chunks_equal_seqeval_where_the_versions_agree():
    """Upper-case types of at least two letters after a hyphen: nothing the newer parser would cut off."""
    rng = np.random.default_rng(1)
    tags = ("O", "B-AA", "I-AA", "E-AA", "S-AA", "B-BB", "I-BB", "E-BB", "S-BB")
    for _ in range(CASES):
        for sentence in corpus(rng, tags):
            assert chunk_spans(sentence) == set(get_entities(sentence))


def test_all_sentences_at_once_equal_one_by_one():
    rng = np.random.default_rng(2)
    tags = ("ADJ", "INTJ", "NOUN", "SCONJ", "SYM", "X", "O", "B-LOC", "I-LOC", "E-LOC")
    for _ in range(CASES // 4):
        gold = corpus(rng, tags)
        predicted = [[str(tag) for tag in rng.choice(tags, len(sentence))] for sentence in gold]
        codes = [np.array([tags.index(tag) for sentence in side for tag in sentence]) for side in (predicted, gold)]
        starts = np.cumsum([0, *(len(sentence) for sentence in gold)])[:-1]
        expected = count_predictions(METRICS["chunk_f1"], *([" ".join(s) for s in side] for side in (predicted, gold)))
        np.testing.assert_array_equal(count_chunks(*codes, tags, starts), expected)


def test_accuracy_and_f1_equal_scikit_learn():
    rng = np.random.default_rng(3)
    names = np.array(["not_duplicate", "duplicate"])
    for _ in range(CASES):
        size = int(rng.integers(1, 30))
        gold, predicted = ([str(name) for name in names[rng.integers(0, 2, size)]] for _ in range(2))
        assert points("accuracy", predicted, gold) == pytest.approx(100 * accuracy_score(gold, predicted), abs=1e-9)
        expected = 100 * float(binary_f1(gold, predicted, pos_label="duplicate", zero_division=0.0))
        assert points("duplicate_f1", predicted, gold) == pytest.approx(expected, abs=1e-9)


def plain_precision(ranked: list[int], gold: set[int], k: int) -> float:
    hits = [candidate in gold for candidate in ranked[:k]]
    return sum(sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit) / min(len(gold), k)


def test_average_precision_equals_its_definition():
    rng = np.random.default_rng(4)
    for _ in range(CASES):
        ranked = [int(x) for x in rng.permutation(30)[: rng.integers(0, 30)]]
        gold = {int(x) for x in rng.choice(30, size=rng.integers(1, 25), replace=False)}
        assert average_precision(ranked, gold) == pytest.approx(plain_precision(ranked, gold, 20), abs=1e-12)


def squad_words(text: str) -> list[str]:
    """Lower case, no punctuation, no articles, split at white space: the four steps of the paper's appendix."""
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    return [word for word in re.split(r"\s+", re.sub(r"\b(a|an|the)\b", " ", kept)) if word]


def squad_f1(prediction: str, answer: str) -> float:
    found, true = squad_words(prediction), squad_words(answer)
    same = sum(min(count, Counter(true)[word]) for word, count in Counter(found).items())
    if same == 0:
        return 0.0
    precision, recall = same / len(found), same / len(true)
    return 2 * precision * recall / (precision + recall)


TEXT = st.text(st.sampled_from("aAtThHeEnN bBxX.,-'\t\u201c\u5317\u4eac\u0e01 "), max_size=14)


@settings(max_examples=CASES, deadline=None)
@given(TEXT, st.lists(TEXT, max_size=3))
def test_answers_equal_the_published_definition(prediction, answers):
    f1, em, total = count_predictions(METRICS["qa_f1"], [prediction], [json.dumps(answers)])[0]
    assert total == 1
    assert f1 == pytest.approx(max((squad_f1(prediction, answer) for answer in answers), default=0.0), abs=1e-9)
    assert em == any(squad_words(prediction) == squad_words(answer) for answer in answers)
