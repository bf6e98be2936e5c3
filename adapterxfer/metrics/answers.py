"""Exact match and bag-of-words F1 of answers, as the SQuAD v1.1 evaluation defines them, for every language.

XTREME scores XQuAD and TyDiQA this way: English articles and ASCII punctuation are removed whatever the language, and
words are what whitespace separates. So F1 is close to exact match in Chinese or Thai, and that is the protocol.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from functools import lru_cache

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, then no ASCII punctuation, then no English articles, then single spaces.

    The order matters: ``an-other`` loses its hyphen before articles are looked for.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> bool:
    """Whether two answers are equal once normalised."""
    return normalise_answer(prediction) == normalise_answer(answer)


def answer_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """F1, exact match and 1 for one question.

    Each score is the best over the accepted answers by itself. A question without answer counts as wrong.

    Args:
        prediction: answer text.
        gold: JSON list of accepted answers.
    """
    normalised = normalise_answer(prediction)
    words = normalised.split()
    answers = _normalised(gold)
    f1 = max((word_f1(words, answer.split()) for answer in answers), default=0.0)
    return f1, float(normalised in answers), 1.0


def answerable_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """The same for SQuAD 2.0: a question without answers is right if the prediction is empty.

    Where prediction or answer is empty once normalised, F1 is 1 if both are.
    """
    normalised = normalise_answer(prediction)
    # Answers that vanish when normalised are dropped, as the official script does.
    answers = tuple(answer for answer in _normalised(gold) if answer) or ("",)
    exact = float(normalised in answers)
    return (exact if not normalised or answers == ("",) else answer_counts(prediction, gold)[0]), exact, 1.0


@lru_cache(maxsize=100_000)
def _normalised(gold: str) -> tuple[str, ...]:
    """Accepted answers, normalised; every system of a study is compared with the same ones."""
    return tuple(normalise_answer(answer) for answer in json.loads(gold))


def word_f1(predicted: list[str], expected: list[str]) -> float:
    """F1 of two bags of words; 0 if they share none."""
    if not set(predicted) & set(expected):
        return 0.0
    common = (Counter(predicted) & Counter(expected)).total()
    return 2.0 * common / (len(predicted) + len(expected))
