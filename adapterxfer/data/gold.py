"""What a prediction is compared with, as one string per example: the `gold` column of every prediction file."""

from __future__ import annotations

import json

from adapterxfer.data.examples import ChoiceExample, Example, PairExample, RetrievalExample, SpanExample, TaggingExample


def gold_text(example: Example) -> str:
    """The gold of one example.

    Returns:
        the label; the tags joined by spaces; the accepted answers as a JSON list of strings; the 0-based index of the
        right choice; or the id of the sentence to be found.
    """
    match example:
        case PairExample():
            return example.label
        case TaggingExample():
            return " ".join(example.tags)
        case SpanExample():
            return json.dumps(list(dict.fromkeys(example.answers)), ensure_ascii=False)
        case ChoiceExample():
            return str(example.label)
        case RetrievalExample():
            return example.example_id
