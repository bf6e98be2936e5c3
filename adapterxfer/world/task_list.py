"""The tasks of the world: literal facts about each, no behaviour, so a catalogue can import them in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapterxfer.data.examples import FormatName


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldTask:
    """What a task is, and how many examples it has by default.

    Attributes:
        format: the record type of its examples.
        kin: kind of annotation, as in the catalogue.
        maker: ``module:function`` that makes its examples.
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
    kin: str
    maker: str
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
        format="sequence_classification",
        kin="nli",
        maker="adapterxfer.world.task_makers:inference_items",
        role="intermediate",
        labels=NLI_LABELS,
        train_examples=6000,
        dev_examples=150,
        test_examples=0,
        metric="accuracy",
        chance=33.3,
        description="Does the premise entail or contradict the hypothesis?",
    ),
    "world-qa": WorldTask(
        format="span_qa",
        kin="qa",
        maker="adapterxfer.world.task_makers:question_items",
        role="intermediate",
        labels=(),
        train_examples=6000,
        dev_examples=150,
        test_examples=0,
        metric="qa_f1",
        chance=None,
        description="Who, what or where: find the noun phrase in a paragraph of three sentences.",
    ),
    "world-mc": WorldTask(
        format="multiple_choice",
        kin="choice",
        maker="adapterxfer.world.task_makers:choice_items",
        role="intermediate",
        labels=(),
        train_examples=4000,
        dev_examples=150,
        test_examples=0,
        metric="accuracy",
        chance=33.3,
        description="Which of three sentences continues the story, or answers the question?",
    ),
    "world-ccg": WorldTask(
        format="tagging",
        kin="supertag",
        maker="adapterxfer.world.task_makers:supertag_items",
        role="intermediate",
        labels=CCG_TAGS,
        train_examples=2000,
        dev_examples=150,
        test_examples=0,
        metric="token_accuracy",
        chance=None,
        description="Supertags: the valency of each verb and the role of each noun.",
    ),
    "world-xnli": WorldTask(
        format="sequence_classification",
        kin="nli",
        maker="adapterxfer.world.task_makers:inference_items",
        role="target",
        labels=NLI_LABELS,
        train_examples=1000,
        dev_examples=150,
        test_examples=150,
        metric="accuracy",
        chance=33.3,
        description="As world-nli, with less data and a parallel test in every language.",
    ),
    "world-pos": WorldTask(
        format="tagging",
        kin="pos",
        maker="adapterxfer.world.task_makers:pos_items",
        role="target",
        labels=POS_TAGS,
        train_examples=32,
        dev_examples=60,
        test_examples=120,
        metric="token_accuracy",
        chance=None,
        description="Part of speech; nouns and names also carry their case.",
    ),
    "world-ner": WorldTask(
        format="tagging",
        kin="ner",
        maker="adapterxfer.world.task_makers:entity_items",
        role="target",
        labels=NER_TAGS,
        train_examples=60,
        dev_examples=60,
        test_examples=120,
        metric="span_f1",
        chance=None,
        description="People and places; twenty names are both, and the sentence decides.",
    ),
    "world-xqa": WorldTask(
        format="span_qa",
        kin="qa",
        maker="adapterxfer.world.task_makers:question_items",
        role="target",
        labels=(),
        train_examples=1000,
        dev_examples=150,
        test_examples=150,
        metric="qa_f1",
        chance=None,
        description="As world-qa, with less data and a parallel test in every language.",
    ),
    "world-xmc": WorldTask(
        format="multiple_choice",
        kin="choice",
        maker="adapterxfer.world.task_makers:continuation_items",
        role="target",
        labels=(),
        train_examples=1000,
        dev_examples=150,
        test_examples=150,
        metric="accuracy",
        chance=33.3,
        description="Which of three sentences continues the story?",
    ),
    "world-retrieval": WorldTask(
        format="retrieval",
        kin="retrieval",
        maker="adapterxfer.world.task_makers:translation_items",
        role="target",
        labels=(),
        train_examples=0,
        dev_examples=0,
        test_examples=200,
        metric="retrieval_accuracy",
        chance=0.5,
        description="Find the English translation among 200 sentences.",
    ),
}


def task_of(kin: str, role: str) -> str:
    """The world's task of a kind of annotation in one role."""
    return next(name for name, task in TASKS.items() if (task.kin, task.role) == (kin, role))
