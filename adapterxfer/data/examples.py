"""One canonical record per format: what a reader makes and everything else consumes.

Labels are names, never ids. ``example_id`` is shared by all languages of a parallel corpus; ``cluster_id`` is the unit
that statistics resample (a paragraph, a sentence, a premise) and is shared in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FormatName = Literal["sequence_classification", "tagging", "span_qa", "multiple_choice", "retrieval"]


@dataclass(frozen=True, slots=True)
class PairExample:
    """A text, or a pair of texts, with one label (format ``sequence_classification``)."""

    example_id: str
    cluster_id: str
    language: str
    text: str
    text_pair: str | None
    label: str


@dataclass(frozen=True, slots=True)
class TaggingExample:
    """Words with one tag each (format ``tagging``); BIO tags where the task has spans."""

    example_id: str
    cluster_id: str
    language: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanExample:
    """A question about a context (format ``span_qa``).

    ``answers`` are all accepted texts; ``answer_starts`` their character (code point) offsets in ``context``, so
    ``context[start:start + len(answer)] == answer`` for each. Both are empty for an unanswerable question.
    """

    example_id: str
    cluster_id: str
    language: str
    question: str
    context: str
    answers: tuple[str, ...]
    answer_starts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceExample:
    """A context, an optional question and any number of choices (format ``multiple_choice``); ``label`` is 0-based."""

    example_id: str
    cluster_id: str
    language: str
    context: str
    question: str
    choices: tuple[str, ...]
    label: int


@dataclass(frozen=True, slots=True)
class RetrievalExample:
    """A sentence with its English translation (``retrieval``): queries search the translations of their language."""

    example_id: str
    cluster_id: str
    language: str
    text: str
    translation: str


@dataclass(frozen=True, slots=True)
class SearchExample:
    """A text that searches a pool of candidates (``retrieval``); ``relevant`` are the ids of the right ones."""

    example_id: str
    cluster_id: str
    language: str
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidateExample:
    """A text of a pool (``retrieval``); ids are unique over all languages of the pool."""

    example_id: str
    cluster_id: str
    language: str
    text: str


Example = (
    PairExample | TaggingExample | SpanExample | ChoiceExample | RetrievalExample | SearchExample | CandidateExample
)

EXAMPLE_TYPES: dict[FormatName, type] = {
    "sequence_classification": PairExample,
    "tagging": TaggingExample,
    "span_qa": SpanExample,
    "multiple_choice": ChoiceExample,
    "retrieval": RetrievalExample,
}

POOL_TYPES: tuple[type, ...] = (SearchExample, CandidateExample)
"""What the splits of a retrieval task may hold instead, where a pool is searched."""


@dataclass(slots=True)
class TaskData:
    """All examples of one task: what a reader returns and a `prepare` stage stores.

    Attributes:
        splits: ``(split, language)`` -> examples; split is ``train``, ``dev`` or ``test``, and for tasks that search a
            pool ``pool`` (language ``all`` where the pool belongs to all), ``sample`` and ``sample-pool``.
        labels: label or tag names in official order; empty where the format has none.
        notes: counts of what was repaired or dropped, e.g. ``{"spans moved": 5}``.
    """

    task: str
    format: FormatName
    labels: tuple[str, ...]
    splits: dict[tuple[str, str], list[Example]]
    notes: dict[str, int] = field(default_factory=dict)

    def languages(self, split: str) -> tuple[str, ...]:
        """Languages that have this split, in the reader's order."""
        return tuple(language for name, language in self.splits if name == split)
