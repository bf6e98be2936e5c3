"""Formats by name. Importing this module imports no torch; asking for a format does."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from adapterxfer.errors import DataError

if TYPE_CHECKING:
    from adapterxfer.formats.base import Format

_MAX_ANSWER = re.compile(r"(?:^|/)max-answer-([1-9][0-9]*)(?:/|$)")
_LENGTHS = re.compile(r"(?:^|/)tokens-([1-9][0-9]*)-([1-9][0-9]*)(?:/|$)")
_NULL_THRESHOLD = re.compile(r"(?:^|/)null-threshold-(-?[0-9]+(?:\.[0-9]+)?)(?:/|$)")

FORMATS = {
    "sequence_classification": "adapterxfer.formats.sequence_classification:SequenceClassification",
    "tagging": "adapterxfer.formats.tagging:Tagging",
    "span_qa": "adapterxfer.formats.span_qa:SpanQa",
    "multiple_choice": "adapterxfer.formats.multiple_choice:MultipleChoice",
    "retrieval": "adapterxfer.formats.retrieval:Retrieval",
}

DUAL_ENCODER = "adapterxfer.formats.dual_encoder:DualEncoder"
"""Retrieval with a trained head, where the protocol says ``dual-encoder``."""


def get_format(name: str, protocol: str = "") -> Format:
    """The format of that name.

    Args:
        name: one of `FORMATS`.
        protocol: protocol of the task; a part ``max-answer-N`` sets the longest predicted answer, in tokens, and a part
            ``null-threshold-X`` allows the empty answer. Of retrieval, parts choose the direction (``from-english``),
            the pooling (``mean-pool-special``, ``dual-encoder``), ``uncentred``, and the lengths ``tokens-Q-C``.

    Raises:
        DataError: there is no such format.
    """
    if name not in FORMATS:
        raise DataError(f"format '{name}' does not exist", fix=f"use one of: {', '.join(FORMATS)}")
    parts = protocol.split("/")
    module, kind = (DUAL_ENCODER if name == "retrieval" and "dual-encoder" in parts else FORMATS[name]).split(":")
    format_class = getattr(import_module(module), kind)
    options: dict[str, Any] = {}
    if name == "span_qa" and (limit := _MAX_ANSWER.search(protocol)):
        options["max_answer_tokens"] = int(limit.group(1))
    if name == "span_qa" and (threshold := _NULL_THRESHOLD.search(protocol)):
        options["null_threshold"] = float(threshold.group(1))
    if name == "retrieval" and (lengths := _LENGTHS.search(protocol)):
        options["lengths"] = (int(lengths.group(1)), int(lengths.group(2)))
    if name == "retrieval" and "dual-encoder" not in parts:
        options["from_english"] = "from-english" in parts
        options["special_tokens"] = any(word.endswith("mean-pool-special") for word in parts)
        options["centred"] = "uncentred" not in parts
    return cast("Format", format_class(**options))


def format_of_head(name: str) -> Format:
    """The format that makes the head of a stored model: heads of retrieval are always those of a dual encoder."""
    return get_format(name, "dual-encoder" if name == "retrieval" else "")
