"""What a tokenizer makes of the texts of each language: pieces per word, unknown pieces, texts that do not fit.

These explain scores of low-resource languages that no score shows: a language of a script that the vocabulary lacks
is read letter by letter, or as unknown pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from adapterxfer.data.composing import count_uncomposed
from adapterxfer.data.examples import (
    CandidateExample,
    ChoiceExample,
    Example,
    PairExample,
    RetrievalExample,
    SearchExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.formats.base import Feature
from adapterxfer.formats.tokenization import Encoder

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese write no spaces between words."""


def describe_inputs(
    examples: Sequence[Example], features: Sequence[Feature], encoder: Encoder, max_length: int
) -> dict[str, Any]:
    """Counts of every language, as stored with predictions.

    Args:
        features: of the examples; those of questions and tagged sentences say how many windows each needs. Empty for
            texts that search a pool.
        encoder: that made them; texts that it remembers are not tokenized again.
        max_length: tokens of the longest sequence.

    Returns:
        ``{max_length, tokenizer, marks_words, languages: {code: {texts, words, characters, pieces, unknown, cut,
        composed, marked}}}``. ``words`` and ``marked`` (words that begin with the mark) of tagged sentences are those
        of the data; of other texts words are what stands between spaces, and 0 where a language writes none; there is
        no ``marked`` there. ``cut``: texts that lost their end, or need several windows. ``composed``: texts that were
        not in NFC.
    """
    windows: dict[int, list[Feature]] = {}
    for feature in features:
        windows.setdefault(feature.example, []).append(feature)
    languages: dict[str, Counter[str]] = {}
    by_language: dict[str, list[tuple[int, Example]]] = {}
    for index, example in enumerate(examples):
        by_language.setdefault(example.language, []).append((index, example))
    for code, members in by_language.items():
        counts = languages.setdefault(code, Counter())
        counts["texts"] = len(members)
        counts["composed"] = sum(count_uncomposed([example])[0] > 0 for _, example in members)
        if isinstance(members[0][1], TaggingExample):
            _count_tagged(counts, [(example, windows.get(index, [])) for index, example in members], encoder)
        else:
            _count_texts(counts, [(example, windows.get(index, [])) for index, example in members], encoder, max_length)
    return {
        "max_length": max_length,
        "tokenizer": encoder.fingerprint[:16],
        "marks_words": encoder.marks_words,
        "languages": {code: dict(counts) for code, counts in languages.items()},
    }


def _count_tagged(counts: Counter[str], members: Iterable[tuple[Any, list[Feature]]], encoder: Encoder) -> None:
    before, after = map(len, encoder.single)
    counts["marked"] = 0
    for example, features in members:
        counts["words"] += len(example.words)
        counts["characters"] += sum(map(len, example.words))
        counts["cut"] += len(features) > 1
        for feature in features:
            (sequence,) = feature.sequences
            content = sequence[before : len(sequence) - after]
            counts["pieces"] += len(content)
            counts["unknown"] += content.count(encoder.unknown)
            for position in feature.target.positions:
                # The label stands behind a bare mark, which is then the beginning of the word.
                bare = position > 0 and sequence[position - 1] in encoder.marks
                counts["marked"] += bare or encoder.begins_word(sequence[position])


def _count_texts(
    counts: Counter[str], members: Sequence[tuple[Any, list[Feature]]], encoder: Encoder, max_length: int
) -> None:
    texts = [read for example, _ in members for sequence in _sequences(example) for read in sequence]
    pieces = dict(zip(texts, encoder.texts(texts), strict=True))
    unspaced = 0
    for example, features in members:
        own = dict.fromkeys(text for sequence in _sequences(example) for text in sequence)
        for text in own:
            counts["pieces"] += len(pieces[text])
            counts["unknown"] += pieces[text].count(encoder.unknown)
            counts["words"] += len(text.split())
            counts["characters"] += sum(not character.isspace() for character in text)
            unspaced += len(_UNSPACED.findall(text))
        if isinstance(example, SpanExample):
            counts["cut"] += len(features) > 1
            continue
        counts["cut"] += any(
            sum(len(pieces[text]) for text in sequence) > encoder.room(max_length, pair=len(sequence) == 2)
            for sequence in _sequences(example)
        )
    if 2 * unspaced > counts["characters"]:
        counts["words"] = 0


def _sequences(example: Any) -> list[tuple[str, ...]]:
    """Texts of each sequence, in the language of the example, as its format joins them."""
    match example:
        case PairExample():
            return [(example.text,) if example.text_pair is None else (example.text, example.text_pair)]
        case ChoiceExample():
            context = " ".join(text for text in (example.context, example.question) if text)
            return [(context, choice) for choice in example.choices]
        case SpanExample():
            return [(example.question, example.context)]
        case RetrievalExample() | SearchExample() | CandidateExample():
            return [(example.text,)]  # the translation is English
        case _:
            raise TypeError(f"{type(example).__name__} has no texts")
