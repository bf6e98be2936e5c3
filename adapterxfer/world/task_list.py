"""The tasks of the world: literal facts about each, no behaviour, so a catalogue can import them in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapterxfer.data.examples import FormatName


@dataclass(frozen=True, slots=True)
class WorldTask:
    """What a task is, and how many examples it has by default.

    Attributes:
        format: the record type of its examples.
        role: ``intermediate`` (English train and dev) or ``target`` (also a parallel test in every language).
        labels: label or tag names in official order; empty where the format has none.
        train_examples: default number of English training examples.
        dev_examples: default number of English development examples.
        test_examples: default number of test examples in each language.
        metric: name of the score, as in docs/design/contracts.md.
        chance: expected score of a uniform guess in points; None where that depends on the text.
        description: one line for people.
    """

    format: FormatName
    role: Literal["intermediate", "target"]
    labels: tuple[str, ...]
    train_examples: int
    dev_examples: int
    test_examples: int
    metric: str
    chance: float | None
    description: str


NLI_LABELS = ("entailment", "neutral", "contradiction")
NER_TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
POS_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CASE", "DET", "NEG", "NUM", "PUNCT", "VERB",
    "NOUN.nom", "NOUN.acc", "NOUN.obl", "PROPN.nom", "PROPN.acc", "PROPN.obl",
)  # fmt: skip
CCG_TAGS = (
    "N/N", "PP/NP", "S/S", "AUX", "CASE", "NP/N", "NEG", "NUM", ".", "COP",
    "V", "V/NP", "V/NP/PP", "V/PP",
    "N.subject", "N.object", "N.recipient", "N.goal", "N.place", "N.predicate",
)  # fmt: skip

TASKS: dict[str, WorldTask] = {
    "world-nli": WorldTask(
        "sequence_classification", "intermediate", NLI_LABELS, 6000, 150, 0, "accuracy", 33.3,
        "Does the premise entail or contradict the hypothesis?",
    ),
    "world-qa": WorldTask(
        "span_qa", "intermediate", (), 6000, 150, 0, "qa_f1", None,
        "Who, what or where: find the noun phrase in a paragraph of three sentences.",
    ),
    "world-mc": WorldTask(
        "multiple_choice", "intermediate", (), 4000, 150, 0, "accuracy", 33.3,
        "Which of three sentences continues the story, or answers the question?",
    ),
    "world-ccg": WorldTask(
        "tagging", "intermediate", CCG_TAGS, 2000, 150, 0, "token_accuracy", None,
        "Supertags: the valency of each verb and the role of each noun.",
    ),
    "world-xnli": WorldTask(
        "sequence_classification", "target", NLI_LABELS, 1000, 150, 150, "accuracy", 33.3,
        "As world-nli, with less data and a parallel test in every language.",
    ),
    "world-pos": WorldTask(
        "tagging", "target", POS_TAGS, 32, 60, 120, "token_accuracy", None,
        "Part of speech; nouns and names also carry their case.",
    ),
    "world-ner": WorldTask(
        "tagging", "target", NER_TAGS, 60, 60, 120, "span_f1", None,
        "People and places; twenty names are both, and the sentence decides.",
    ),
    "world-xqa": WorldTask(
        "span_qa", "target", (), 1000, 150, 150, "qa_f1", None,
        "As world-qa, with less data and a parallel test in every language.",
    ),
    "world-xmc": WorldTask(
        "multiple_choice", "target", (), 1000, 150, 150, "accuracy", 33.3,
        "Which of three sentences continues the story?",
    ),
    "world-retrieval": WorldTask(
        "retrieval", "target", (), 0, 0, 200, "retrieval_accuracy", 0.5,
        "Find the English translation among 200 sentences.",
    ),
}  # fmt: skip
