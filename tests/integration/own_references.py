"""Scores as other libraries compute them: scikit-learn, seqeval, and SQuAD's script written once more."""

from __future__ import annotations

import json
import re
import string
from collections import Counter

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn.metrics")
seqeval = pytest.importorskip("seqeval.metrics")


def squad_f1(prediction: str, gold: str) -> float:
    def words(text: str) -> list[str]:
        text = "".join(sign for sign in text.lower() if sign not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    predicted, expected = words(prediction), words(gold)
    same = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * same / (len(predicted) + len(expected)) if same else float(predicted == expected)


def reference(metric: str, predictions: list[str], golds: list[str]) -> float:
    """The score of scikit-learn or seqeval; of questions that of SQuAD's script."""
    if metric == "mcc":
        return 100 * float(sklearn.matthews_corrcoef(golds, predictions))
    if metric in ("macro_f1", "weighted_f1"):
        return 100 * float(sklearn.f1_score(golds, predictions, average=metric.removesuffix("_f1"), zero_division=0))
    if metric == "span_f1":
        cut = [[tags.split() for tags in rows] for rows in (golds, predictions)]
        return 100 * float(seqeval.f1_score(*cut, zero_division=0))
    if metric == "qa_f1":
        pairs = zip(predictions, golds, strict=True)
        return 100 * float(np.mean([max(squad_f1(p, answer) for answer in json.loads(g)) for p, g in pairs]))
    return 100 * float(sklearn.accuracy_score(golds, predictions))
