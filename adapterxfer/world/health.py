"""Is the world fair? What a guesser reaches who sees only the hypothesis, only the premise, or only noun phrases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from adapterxfer.data.examples import PairExample, SpanExample, TaskData
from adapterxfer.world.phrases import informed_guesses
from adapterxfer.world.task_list import task_of
from adapterxfer.world.tasks import load_task

_ROUNDS = 200
_RATE = 0.5
_DECAY = 1e-4
_ARTICLES = frozenset(("the", "a"))

Matrix = NDArray[np.float64]


def inference_cues(*, train_examples: int = 4000, test_examples: int = 1500) -> dict[str, float]:
    """Accuracy in points of bag-of-words classifiers that see one half of an English NLI pair; chance is 33.3.

    Words, word pairs and the number of words are the features; the classifier is a softmax regression.
    """
    data = load_task(task_of("nli", "intermediate"), train_examples=train_examples, dev_examples=test_examples)
    train, test = (cast("list[PairExample]", data.splits[split, "en"]) for split in ("train", "dev"))
    gold = [[data.labels.index(e.label) for e in split] for split in (train, test)]
    scores = {}
    for name, side in (("hypothesis-only", "text_pair"), ("premise-only", "text")):
        texts = [[str(getattr(e, side)) for e in split] for split in (train, test)]
        features = _bags(texts[0], texts[1])
        weights = _fit(features[0], np.array(gold[0]), len(data.labels))
        guessed = (features[1] @ weights).argmax(axis=1)
        scores[name] = float(100 * np.mean(guessed == np.array(gold[1])))
    return scores


def _bags(train: Sequence[str], test: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Presence of the words and word pairs seen in training, length and a constant, shape ``(texts, features)``."""
    parts = [_pieces(text) for text in train]
    common = [piece for piece, count in Counter(p for pieces in parts for p in pieces).items() if count >= 10]
    index = {piece: at for at, piece in enumerate(common)}

    def matrix(texts: Sequence[str]) -> Matrix:
        bag = np.zeros((len(texts), len(index) + 2))
        for row, text in enumerate(texts):
            bag[row, [index[piece] for piece in _pieces(text) if piece in index]] = 1.0
            bag[row, -2:] = len(text.split()) / 10.0, 1.0
        return bag

    return matrix(train), matrix(test)


def _pieces(text: str) -> set[str]:
    words = text.split()
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}


def _fit(features: Matrix, gold: NDArray[np.int64], classes: int) -> Matrix:
    """Softmax regression by gradient descent, shape ``(features, classes)``."""
    weights = np.zeros((features.shape[1], classes))
    target = np.eye(classes)[gold]
    for _ in range(_ROUNDS):
        logits = features @ weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        weights -= _RATE * (features.T @ (shares - target) / len(gold) + _DECAY * weights)
    return weights


def informed_guess(data: TaskData, split: str = "test") -> dict[str, float]:
    """Expected F1 in points of a random noun phrase that the question does not mention, by language.

    The expectation is exact: the mean over all candidates, not over draws.
    """
    scores = {}
    for language in data.languages(split):
        examples = cast("list[SpanExample]", data.splits[split, language])
        scores[language] = 100 * float(np.mean([_expected_f1(example) for example in examples]))
    return scores


def _expected_f1(example: SpanExample) -> float:
    guesses = informed_guesses(example.language, example.question, example.context)
    if not guesses:
        return 0.0
    return float(np.mean([max(_f1(guess, answer) for answer in example.answers) for guess in guesses]))


def _f1(guess: str, answer: str) -> float:
    """Overlap of words without English articles, as in the QA score."""
    mine = Counter(word for word in guess.split() if word not in _ARTICLES)
    theirs = Counter(word for word in answer.split() if word not in _ARTICLES)
    shared = sum((mine & theirs).values())
    return 2 * shared / (sum(mine.values()) + sum(theirs.values())) if shared else 0.0


def mean_zero_shot(scores: Mapping[str, float]) -> float:
    """Mean over all languages but English."""
    return float(np.mean([score for language, score in scores.items() if language != "en"]))
