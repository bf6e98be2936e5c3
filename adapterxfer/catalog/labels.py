"""Label sets that several tasks share, in official order: the order of label ids, so no list may ever be reordered."""

from __future__ import annotations

NLI = ("entailment", "neutral", "contradiction")
"""Natural language inference."""

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
)  # fmt: skip
"""The universal tags of parts of speech, in alphabetic order."""

NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
"""Names of people, organisations and places."""

DATES = ("B-DATE", "I-DATE")
"""Tags of dates, which only some data sets of names have; they are read as ``O`` where the training data lack them."""
