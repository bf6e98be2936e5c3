"""A classifier that sees the words of one half of a pair: how far cues in a single text go.

Softmax regression on word presence, trained on English. Where the hypothesis alone gives the label away, a score says
nothing about inference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from adapterxfer.data.examples import PairExample
from adapterxfer.predict.controls.base import ControlInput, ControlResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAINING_EXAMPLES = 10_000
"""The first so many examples are enough for words, and bound the time on large tasks."""

WORDS = 2_000
"""The most frequent training words; others are not seen."""

STEPS = 300
PENALTY = 1e-3
LEARNING_RATE = 0.05


def hypothesis_only(data: ControlInput) -> ControlResult:
    """Sees the second text only."""
    return _classify(data, "text_pair", "hypothesis-only")


def premise_only(data: ControlInput) -> ControlResult:
    """Sees the first text only."""
    return _classify(data, "text", "premise-only")


def _classify(data: ControlInput, side: Literal["text", "text_pair"], name: str) -> ControlResult:
    training = cast("list[PairExample]", data.training(name)[:TRAINING_EXAMPLES])
    labels = data.task.labels
    texts = [words_of(getattr(example, side)) for example in training]
    frequency = Counter(word for text in texts for word in text)
    ranked = sorted(frequency, key=lambda word: (-frequency[word], word))[:WORDS]
    encode = _encoder(ranked)
    gold = np.array([labels.index(example.label) for example in training])
    weights = fit_softmax(encode(texts), gold, classes=len(labels))
    test = encode([words_of(getattr(example, side)) for example in data.examples])
    return ControlResult([labels[index] for index in (test @ weights).argmax(axis=1)])


def words_of(text: str | None) -> frozenset[str]:
    """Lower-cased words of a text, and its length in steps of four words as one more "word"."""
    words = (text or "").casefold().split()
    return frozenset([*words, f"{len(words) // 4 * 4}+ words"])


def _encoder(vocabulary: Sequence[str]) -> Callable[[Sequence[frozenset[str]]], NDArray[np.float32]]:
    index = {word: column for column, word in enumerate(vocabulary)}

    def encode(texts: Sequence[frozenset[str]]) -> NDArray[np.float32]:
        matrix = np.zeros((len(texts), len(index) + 1), dtype=np.float32)
        matrix[:, -1] = 1.0
        for row, text in enumerate(texts):
            matrix[row, [index[word] for word in text if word in index]] = 1.0
        return matrix

    return encode


def fit_softmax(features: NDArray[np.float32], gold: NDArray[np.int64], *, classes: int) -> NDArray[np.float32]:
    """Weights of a softmax regression with an L2 penalty, by full-batch Adam from zero: no chance involved.

    Args:
        features: shape ``(examples, features)``.
        gold: class indices, shape ``(examples,)``.

    Returns:
        shape ``(features, classes)``.
    """
    weights = np.zeros((features.shape[1], classes), dtype=np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    rows = np.arange(len(gold))
    for step in range(1, STEPS + 1):
        scores = features @ weights
        scores -= scores.max(axis=1, keepdims=True)
        error = np.exp(scores)
        error /= error.sum(axis=1, keepdims=True)
        error[rows, gold] -= 1.0
        gradient = features.T @ error / len(gold) + PENALTY * weights
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = LEARNING_RATE * (1.0 - step / (STEPS + 1))
        weights -= scale * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights
