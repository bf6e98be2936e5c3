"""What makes two examples the same item: equal sentences, premises, contexts or queries are answered alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

from adapterxfer.catalog import ClusterRule
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
from adapterxfer.data.gold import gold_text

Arguments = ParamSpec("Arguments")

_SAMPLED = "as_sampled"
"""Attribute of a reader under `equal_together`: the reader without it."""


def equal_together(read: Callable[Arguments, list[Example]]) -> Callable[Arguments, list[Example]]:
    """Make equal items of a language one cluster in what a reader gives.

    Who takes clusters from a reader to a table of scores has to resample equal sentences together, as a report does.
    """

    @wraps(read)
    def joined(*args: Arguments.args, **kwargs: Arguments.kwargs) -> list[Example]:
        return join_equal(read(*args, **kwargs))

    vars(joined)[_SAMPLED] = read
    return joined


def as_sampled(read: Callable[Arguments, list[Example]]) -> Callable[Arguments, list[Example]]:
    """The reader behind `equal_together`, whose clusters are what was sampled together and nothing else.

    What is stored has these: joining them would change the bytes of every stage that holds them, and judging does it.
    """
    reader: Callable[Arguments, list[Example]] = vars(read).get(_SAMPLED, read)
    return reader


def join_equal(examples: Sequence[Example]) -> list[Example]:
    """The examples with clusters that hold equal items of a language together."""
    joined = joined_clusters(
        [example.cluster_id for example in examples], [(example.language, content_of(example)) for example in examples]
    )
    return [
        example if name == example.cluster_id else replace(example, cluster_id=name)
        for example, name in zip(examples, joined, strict=True)
    ]


def joined_clusters(clusters: Sequence[str], items: Sequence[Hashable]) -> list[str]:
    """Clusters of rows, joined where they hold equal items; a joined one has the name of its first row."""
    parents = {name: name for name in clusters}
    order = {name: number for number, name in enumerate(parents)}

    def root(name: str) -> str:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    first: dict[Hashable, str] = {}
    for name, item in zip(clusters, items, strict=True):
        kept, dropped = sorted((root(first.setdefault(item, name)), root(name)), key=order.__getitem__)
        parents[dropped] = kept
    return [root(name) for name in clusters]


def content_of(example: Example) -> str:
    """The text that decides: the sentence, premise, context (choices where there is none) or query."""
    match example:
        case TaggingExample():
            return " ".join(example.words)
        case SpanExample():
            return example.context
        case ChoiceExample():
            return example.context or "\n".join((example.question, *example.choices))
        case PairExample() | RetrievalExample() | SearchExample() | CandidateExample():
            return example.text


def item_of(example: Example) -> str:
    """The whole of what is asked: equal ones are one item twice, while a premise may well have several hypotheses."""
    match example:
        case PairExample():
            return f"{example.text}\n{example.text_pair or ''}"
        case SpanExample():
            return f"{example.context}\n{example.question}"
        case ChoiceExample():
            return "\n".join((example.context, example.question, *example.choices))
        case _:
            return content_of(example)


def repeated(examples: Iterable[Example]) -> int:
    """How many examples ask what an earlier one asked."""
    items = [item_of(example) for example in examples]
    return len(items) - len(set(items))


ROWS_COMPARED = ("sequence_classification", "multiple_choice")
"""Formats whose gold is the same in every language, so that rows of a parallel set can be told from others."""


def parallel_by(tests: Mapping[str, Sequence[Example]], clusters: ClusterRule, form: str) -> str:
    """What tells that test items of different languages are the same: ``ids``, ``rows``, or nothing.

    Args:
        tests: language -> its examples, in the order of their files.
        clusters: what the catalogue says of the data set.
        form: format of the task.
    """
    if len(tests) < 2 or not (clusters.parallel or clusters.same_items):
        return ""
    ids = [{example.example_id for example in examples} for examples in tests.values()]
    if clusters.same_items != "rows" and all(ids[0] & other for other in ids[1:]):
        return "ids"
    golds = [[gold_text(example) for example in examples] for examples in tests.values()]
    if clusters.same_items == "ids" or len({len(gold) for gold in golds}) > 1:
        return ""
    return "rows" if form not in ROWS_COMPARED or all(gold == golds[0] for gold in golds) else ""
