"""Controls for labels and tags: the most frequent one, the one a word had in training, any choice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import cast

from adapterxfer.data.examples import ChoiceExample, TaggingExample
from adapterxfer.data.gold import gold_text
from adapterxfer.errors import DataError
from adapterxfer.predict.controls.base import ControlInput, ControlResult, expected

SHORTEST_PREFIX = 3
"""Characters a word must share with training words before its tag is guessed from them."""


def majority(data: ControlInput) -> ControlResult:
    """The most frequent label, tag or choice position of each test language.

    An oracle: it has seen the test labels of the language, so it is an upper bound on what label frequencies can give.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in data.examples:
        gold = gold_text(example)
        counts[example.language].update(gold.split(" ") if isinstance(example, TaggingExample) else [gold])
    best = {language: most_frequent(counter) for language, counter in counts.items()}
    predictions = []
    for example in data.examples:
        words = len(example.words) if isinstance(example, TaggingExample) else 1
        predictions.append(" ".join([best[example.language]] * words))
    return ControlResult(predictions)


def lookup(data: ControlInput) -> ControlResult:
    """The most frequent tag of the same word in English training, else of words that begin alike, else of all words.

    Words count as alike from three shared characters on, and the longest shared beginning decides. Tasks with spans
    do without that step: half of a name says little about another name. It is all that a vocabulary shared between
    languages can give, and must stand beside every tagging score.
    """
    exact: defaultdict[str, Counter[str]] = defaultdict(Counter)
    prefixes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    spans = "O" in data.task.labels
    for example in cast("list[TaggingExample]", data.training("lookup")):
        overall.update(example.tags)
        for word, tag in zip(example.words, example.tags, strict=True):
            exact[word][tag] += 1
            exact[word.casefold()][tag] += 1
            for end in range(SHORTEST_PREFIX, 0 if spans else len(word) + 1):
                prefixes[word[:end].casefold()][tag] += 1
    fallback = most_frequent(overall)
    known: dict[str, str] = {}

    def tag_of(word: str) -> str:
        for form in (word, word.casefold()):
            if form in exact:
                return most_frequent(exact[form])
        for end in range(len(word), SHORTEST_PREFIX - 1, -1):
            if (prefix := word[:end].casefold()) in prefixes:
                return most_frequent(prefixes[prefix])
        return fallback

    predictions = []
    for example in cast("list[TaggingExample]", data.examples):
        for word in example.words:
            if word not in known:
                known[word] = tag_of(word)
        predictions.append(" ".join(known[word] for word in example.words))
    return ControlResult(predictions)


def random_choice(data: ControlInput) -> ControlResult:
    """Any choice with the same chance; exactly one over the number of choices is expected to be right."""
    examples = cast("list[ChoiceExample]", data.examples)
    return expected(data, [[str(index) for index in range(len(example.choices))] for example in examples])


def most_frequent(counter: Counter[str]) -> str:
    """The most frequent entry, the first in the alphabet among equals: never dependent on reading order.

    Raises:
        DataError: there is no entry at all.
    """
    if not counter:
        raise DataError("nothing to count: no labels", fix="use a task with labelled examples")
    return min(_ranked(counter))[1]


def _ranked(counter: Counter[str]) -> Iterable[tuple[int, str]]:
    return ((-count, name) for name, count in counter.items())
