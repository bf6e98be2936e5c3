"""Exact match and F1 of answers by the rules of MLQA, which has a normaliser for each of its seven languages.

Every Unicode punctuation sign is removed, then the articles of the language; Chinese is compared by characters. One
rule looks like a mistake and is kept, because published numbers contain it: the Arabic article is removed wherever its
two letters stand, also inside words.

Source: facebookresearch/MLQA mlqa_evaluation_v1.py, as used by google-research/xtreme at commit 838c13b.
"""

from __future__ import annotations

import json
import re
import string
import sys
import unicodedata
from functools import cache, lru_cache

from adapterxfer.errors import DataError
from adapterxfer.metrics.answers import word_f1

LANGUAGES = ("ar", "de", "en", "es", "hi", "vi", "zh")

_ARTICLES = {
    "en": re.compile(r"\b(?:a|an|the)\b"),
    "es": re.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "de": re.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "vi": re.compile("\\b(?:c\u1ee7a|l\u00e0|c\u00e1i|chi\u1ebfc|nh\u1eefng)\\b"),
    # The official pattern has a first branch that can never match; what is left of it:
    "ar": re.compile("\u0627\u0644"),
}
_HAN = re.compile("([\u4e00-\u9fa5])")


@cache
def _no_punctuation() -> dict[int, None]:
    signs = {code for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")}
    return dict.fromkeys(signs | set(map(ord, string.punctuation)))


def normalise_answer(text: str, language: str) -> str:
    """Lower case, no punctuation, no articles, single spaces; Chinese characters stand alone.

    Raises:
        DataError: MLQA has no rules for this language.
    """
    if language not in LANGUAGES:
        raise DataError(f"MLQA has no normaliser for language '{language}'", fix=f"use one of: {' '.join(LANGUAGES)}")
    kept = text.lower().translate(_no_punctuation())
    if language in _ARTICLES:
        kept = _ARTICLES[language].sub(" ", kept)
    if language == "zh":
        kept = _HAN.sub(r" \1 ", kept)
    return " ".join(kept.split())


def answer_counts(prediction: str, gold: str, language: str) -> tuple[float, ...]:
    """F1, exact match and 1 for one question, each the best over the accepted answers.

    Args:
        prediction: answer text.
        gold: JSON list of accepted answers.
        language: of the context.
    """
    normalised = normalise_answer(prediction, language)
    words = normalised.split()
    answers = _normalised(gold, language)
    f1 = max((word_f1(words, answer.split()) for answer in answers), default=0.0)
    return f1, float(normalised in answers), 1.0


@lru_cache(maxsize=100_000)
def _normalised(gold: str, language: str) -> tuple[str, ...]:
    return tuple(normalise_answer(answer, language) for answer in json.loads(gold))
