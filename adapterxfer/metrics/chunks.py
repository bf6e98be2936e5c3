"""Chunks of tag sequences by the rules of seqeval 0.0.12, the scorer of XTREME's tagging tasks.

The first letter of a tag is read as its position (B, I, E, S, O), what follows the last hyphen as its type. Applied to
part-of-speech tags this has consequences that a re-implementation must keep: a run of equal tags is one chunk; tags
that begin with S (SYM, SCONJ) are always chunks of one word. Later versions of seqeval cut the first letter off the
type, so their numbers differ for tags such as X; hence the version in the protocol.

Source: google-research/xtreme evaluate.py at commit 838c13b, which calls seqeval 0.0.12; rules of conlleval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDS_BEFORE = {("B", "B"), ("B", "S"), ("B", "O"), ("I", "B"), ("I", "S"), ("I", "O")}
_STARTS_AFTER = {("E", "E"), ("E", "I"), ("S", "E"), ("S", "I"), ("O", "E"), ("O", "I")}


class Tag(NamedTuple):
    """A tag as the rules see it."""

    letter: str
    kind: str


OUTSIDE = Tag("O", "O")
"""What stands between sentences."""

_BEFORE_ALL = Tag("O", "")


def parse_tag(tag: str) -> Tag:
    """First letter, and everything after the last hyphen."""
    return Tag(tag[:1], tag.rsplit("-", 1)[-1])


def ends_chunk(previous: Tag, tag: Tag) -> bool:
    """Whether a chunk ends between two neighbours."""
    if previous.letter in {"E", "S"} or (previous.letter, tag.letter) in _ENDS_BEFORE:
        return True
    return previous.letter not in {"O", "."} and previous.kind != tag.kind


def starts_chunk(previous: Tag, tag: Tag) -> bool:
    """Whether a chunk starts at the second of two neighbours."""
    if tag.letter in {"B", "S"} or (previous.letter, tag.letter) in _STARTS_AFTER:
        return True
    return tag.letter not in {"O", "."} and previous.kind != tag.kind


def chunk_spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """``(type, first, last)`` of all chunks of one sentence."""
    chunks = set()
    previous, start = _BEFORE_ALL, 0
    for position, tag in enumerate([*map(parse_tag, tags), OUTSIDE]):
        if ends_chunk(previous, tag):
            chunks.add((previous.kind, start, position - 1))
        if starts_chunk(previous, tag):
            start = position
        previous = tag
    return chunks


def chunk_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """Right, predicted and gold chunks, right and all words of one sentence; tags are separated by single spaces.

    Raises:
        ValueError: the numbers of tags differ.
    """
    predicted, expected = prediction.split(" "), gold.split(" ")
    if len(predicted) != len(expected):
        raise ValueError(f"{len(predicted)} tags for {len(expected)} words")
    proposed, true = chunk_spans(predicted), chunk_spans(expected)
    right = sum(p == g for p, g in zip(predicted, expected, strict=True))
    return float(len(proposed & true)), float(len(proposed)), float(len(true)), float(right), float(len(expected))


def count_chunks(
    predicted: NDArray[np.int32], gold: NDArray[np.int32], tags: Sequence[str], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`chunk_counts` of many sentences at once.

    Args:
        predicted: index into ``tags`` of every word, shape ``(words,)``; sentences one after another.
        gold: the same.
        tags: different tags.
        starts: first word of each sentence, ascending; no sentence is empty.

    Returns:
        Shape ``(sentences, 5)``.
    """
    words, sentences = len(gold), len(starts)
    if not sentences:
        return np.zeros((0, 5), dtype=np.int64)
    parsed = [*map(parse_tag, tags), OUTSIDE]
    outside = len(tags)
    ends = np.array([[ends_chunk(a, b) for b in parsed] for a in parsed])
    begins = np.array([[starts_chunk(a, b) for b in parsed] for a in parsed])
    kinds = {tag.kind: index for index, tag in enumerate(parsed)}
    kind_of = np.array([kinds[tag.kind] for tag in parsed])
    # One "outside" after every sentence: a row of words + sentences tags.
    sentence = np.zeros(words, dtype=np.int64)
    sentence[starts[1:]] = 1
    slots = np.arange(words) + np.cumsum(sentence)
    length = words + sentences
    owner = np.zeros(length, dtype=np.int64)
    owner[slots] = np.cumsum(sentence)
    closing = np.append(starts[1:], words) + np.arange(sentences)
    owner[closing] = np.arange(sentences)
    sides = []
    for side in (predicted, gold):
        row = np.full(length, outside)
        row[slots] = side
        before = np.concatenate(([outside], row[:-1]))
        first = np.maximum.accumulate(np.where(begins[before, row], np.arange(length), 0))
        ending = ends[before, row]
        # The chunk that ends before a position began at the last start before that position.
        began = np.concatenate(([0], first[:-1]))
        sides.append((ending, began, kind_of[before]))
    (end_p, began_p, kind_p), (end_g, began_g, kind_g) = sides
    right = end_p & end_g & (began_p == began_g) & (kind_p == kind_g)
    counts = np.empty((sentences, 5), dtype=np.int64)
    for column, mask in enumerate((right, end_p, end_g)):
        counts[:, column] = np.bincount(owner[mask], minlength=sentences)
    counts[:, 3] = np.add.reduceat((predicted == gold).astype(np.int64), starts)
    counts[:, 4] = np.diff(np.append(starts, words))
    return counts
