"""Spans of BIO tags, counted leniently, as the CoNLL evaluation does.

An ``I-`` without a span before it starts one, and a change of type ends one; nothing is ever repaired or dropped.
Source: Tjong Kim Sang and De Meulder 2003 (shared task rules); parity with seqeval 1.2.2 is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """Words ``start`` to ``stop`` (excluded) with one type."""

    start: int
    stop: int
    kind: str


def tag_spans(tags: Sequence[str]) -> list[Span]:
    """Spans of one sentence, from left to right.

    Args:
        tags: ``O``, ``B-TYPE`` or ``I-TYPE``.
    """
    spans = []
    start, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, tag_kind = tag.partition("-")
        inside = prefix == "I" and tag_kind == kind
        if kind and not inside:
            spans.append(Span(start, position, kind))
        if prefix in {"B", "I"} and not inside:
            start, kind = position, tag_kind
        elif prefix not in {"B", "I"}:
            kind = ""
    return spans


def span_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """Right, predicted and gold spans of one sentence; tags are separated by single spaces.

    Raises:
        ValueError: the numbers of tags differ.
    """
    predicted, expected = prediction.split(" "), gold.split(" ")
    if len(predicted) != len(expected):
        raise ValueError(f"{len(predicted)} tags for {len(expected)} words")
    proposed, true = set(tag_spans(predicted)), set(tag_spans(expected))
    return float(len(proposed & true)), float(len(proposed)), float(len(true))
