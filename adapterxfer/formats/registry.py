"""Formats by name. Importing this module imports no torch; asking for a format does."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from adapterxfer.errors import DataError

if TYPE_CHECKING:
    from adapterxfer.formats.base import Format

_MAX_ANSWER = re.compile(r"(?:^|/)max-answer-([1-9][0-9]*)(?:/|$)")
_NULL_THRESHOLD = re.compile(r"(?:^|/)null-threshold-(-?[0-9]+(?:\.[0-9]+)?)(?:/|$)")

FORMATS = {
    "sequence_classification": "adapterxfer.formats.sequence_classification:SequenceClassification",
    "tagging": "adapterxfer.formats.tagging:Tagging",
    "span_qa": "adapterxfer.formats.span_qa:SpanQa",
    "multiple_choice": "adapterxfer.formats.multiple_choice:MultipleChoice",
    "retrieval": "adapterxfer.formats.retrieval:Retrieval",
}


def get_format(name: str, protocol: str = "") -> Format:
    """The format of that name.

    Args:
        name: one of `FORMATS`.
        protocol: protocol of the task; a part ``max-answer-N`` sets the longest predicted answer, in tokens, and a part
            ``null-threshold-X`` allows the empty answer.

    Raises:
        DataError: there is no such format.
    """
    if name not in FORMATS:
        raise DataError(f"format '{name}' does not exist", fix=f"use one of: {', '.join(FORMATS)}")
    module, kind = FORMATS[name].split(":")
    made = getattr(import_module(module), kind)
    options: dict[str, float] = {}
    if name == "span_qa" and (limit := _MAX_ANSWER.search(protocol)):
        options["max_answer_tokens"] = int(limit.group(1))
    if name == "span_qa" and (threshold := _NULL_THRESHOLD.search(protocol)):
        options["null_threshold"] = float(threshold.group(1))
    return cast("Format", made(**options))
