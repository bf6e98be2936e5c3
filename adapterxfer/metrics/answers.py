"""Exact match and bag-of-words F1 of answers, as the SQuAD v1.1 evaluation defines them, for every language.

XTREME scores XQuAD and TyDiQA this way: English articles and ASCII punctuation are removed whatever the language, and
words are what whitespace separates. So F1 is close to exact match in Chinese or Thai, and that is the protocol.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, then no ASCII punctuation, then no English articles, then single spaces.

    The order matters: ``an-other`` loses its hyphen before articles are looked for.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def answer_f1(prediction: str, answer: str) -> float:
    """F1 of the words of two normalised answers; 0 if they share none, also when both are empty."""
    predicted, expected = normalise_answer(prediction).split(), normalise_answer(answer).split()
    common = (Counter(predicted) & Counter(expected)).total()
    return 2.0 * common / (len(predicted) + len(expected)) if common else 0.0


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
    answers = json.loads(gold)
    f1 = max((answer_f1(prediction, answer) for answer in answers), default=0.0)
    em = any(exact_match(prediction, answer) for answer in answers)
    return f1, float(em), 1.0
