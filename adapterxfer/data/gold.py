"""What a prediction is compared with, as one string per example: the `gold` column of every prediction file."""

from __future__ import annotations

import json

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


def gold_text(example: Example) -> str:
    """The gold of one example.

    Returns:
        the label; the tags joined by spaces; the accepted answers as a JSON list of strings; the 0-based index of the
        right choice; the id of the sentence to be found; or the ids of all right candidates as a JSON list.
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
        case SearchExample():
            return json.dumps(list(example.relevant), ensure_ascii=False)
        case CandidateExample():
            raise TypeError("a candidate has no gold")
