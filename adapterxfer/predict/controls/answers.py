"""Controls for span answers: any span, any plausible phrase, everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np

from adapterxfer.data.examples import SpanExample
from adapterxfer.predict.controls.base import SOURCE_LANGUAGE, ControlInput, ControlResult, expected
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

DRAWS = 20
"""Spans drawn per example; their mean F1 stands for the expectation."""

DEFAULT_LENGTHS = (1, 2, 3)
"""Answer lengths in words where there is no training answer to take them from."""

_WORD = re.compile(r"\S+")
_EDGE = re.compile(r"^\W+|\W+$")


class _Run(NamedTuple):
    """Neighbouring words, as character spans of the context."""

    words: Sequence[tuple[int, int]]


def whole_sentence(data: ControlInput) -> ControlResult:
    """The whole context."""
    return ControlResult([example.context.strip() for example in cast("list[SpanExample]", data.examples)])


def random_span(data: ControlInput) -> ControlResult:
    """Any span of as many words as an English training answer has."""
    return _draw(data, lambda example: [_Run(_words(example.context))])


def informed_guess(data: ControlInput) -> ControlResult:
    """A phrase of the context that the question does not mention.

    In the embedded world: any of its noun phrases, exactly. Elsewhere nobody tells us the phrases: any span, as in
    `random_span`, without a word of the question.
    """
    examples = cast("list[SpanExample]", data.examples)
    if data.task.task in WORLD_TASKS:
        from adapterxfer.world.phrases import informed_guesses

        return expected(data, [informed_guesses(e.language, e.question, e.context) for e in examples])
    return _draw(data, _runs_without_question)


def _draw(data: ControlInput, runs_of: Callable[[SpanExample], list[_Run]]) -> ControlResult:
    """Draw spans inside runs of words: a length first, then any place where it fits (or the longest run)."""
    lengths = _answer_lengths(data)
    candidates = []
    for example in cast("list[SpanExample]", data.examples):
        runs = [run.words for run in runs_of(example) if run.words]
        longest = max(map(len, runs), default=0)
        options = []
        for length in data.rng.choice(lengths, size=DRAWS) if runs else ():
            size = min(int(length), longest)
            room = np.array([max(len(words) - size + 1, 0) for words in runs])
            position = int(data.rng.integers(room.sum()))
            run = int(np.searchsorted(room.cumsum(), position, side="right"))
            first = position - int(room[:run].sum())
            words = runs[run]
            options.append(example.context[words[first][0] : words[first + size - 1][1]])
        candidates.append(options)
    return expected(data, candidates)


def _answer_lengths(data: ControlInput) -> Sequence[int]:
    if SOURCE_LANGUAGE not in data.task.languages("train"):
        return DEFAULT_LENGTHS
    training = cast("list[SpanExample]", data.training("random-span"))
    return [len(answer.split()) for example in training for answer in example.answers[:1]] or DEFAULT_LENGTHS


def _words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _WORD.finditer(text)]


def _runs_without_question(example: SpanExample) -> list[_Run]:
    """Longest stretches of the context without a word of the question; the whole context if nothing is left."""
    question_words = {_bare(word) for word in example.question.split()}
    runs: list[list[tuple[int, int]]] = [[]]
    for start, end in _words(example.context):
        if _bare(example.context[start:end]) in question_words:
            runs.append([])
        else:
            runs[-1].append((start, end))
    free = [_Run(run) for run in runs if run]
    return free or [_Run(_words(example.context))]


def _bare(word: str) -> str:
    return _EDGE.sub("", word).casefold()
