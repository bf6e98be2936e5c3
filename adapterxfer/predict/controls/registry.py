"""Controls by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapterxfer.errors import DataError
from adapterxfer.predict.controls.answers import informed_guess, random_span, whole_sentence
from adapterxfer.predict.controls.bag_of_words import hypothesis_only, premise_only
from adapterxfer.predict.controls.base import ControlInput, ControlResult
from adapterxfer.predict.controls.labels import lookup, majority, random_choice

EMBEDDING_LAYER = "embedding-layer"
"""Retrieval with the embedding layer of a backbone: the one control that needs a backbone."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control.

    Attributes:
        formats: formats it can answer.
        description: what it knows, for the metadata of its predictions.
    """

    run: Callable[[ControlInput], ControlResult]
    formats: tuple[str, ...]
    description: str


CONTROLS: dict[str, Control] = {
    "majority": Control(
        majority,
        ("sequence_classification", "tagging", "multiple_choice"),
        "oracle majority: the most frequent gold label of each test language",
    ),
    "lookup": Control(lookup, ("tagging",), "the most frequent English training tag of the word, or of its beginning"),
    "random-choice": Control(random_choice, ("multiple_choice",), "a uniform draw of a choice, in expectation"),
    "random-span": Control(random_span, ("span_qa",), "a random span as long as a training answer, mean of 20 draws"),
    "informed-guess": Control(
        informed_guess,
        ("span_qa",),
        "a random phrase of the context that the question does not mention, in expectation",
    ),
    "whole-sentence": Control(whole_sentence, ("span_qa",), "the whole context"),
    "hypothesis-only": Control(
        hypothesis_only, ("sequence_classification",), "bag of words of the second text, trained on English"
    ),
    "premise-only": Control(
        premise_only, ("sequence_classification",), "bag of words of the first text, trained on English"
    ),
}


def run_control(name: str, data: ControlInput) -> ControlResult:
    """Predictions of one control.

    Raises:
        DataError: there is no such control, or it cannot answer this format.
    """
    if name not in CONTROLS:
        raise DataError(
            f"control '{name}' does not exist", fix=f"use one of: {', '.join([*CONTROLS, EMBEDDING_LAYER])}"
        )
    control = CONTROLS[name]
    if data.task.format not in control.formats:
        raise DataError(
            f"control '{name}' cannot answer task '{data.task.task}' of format {data.task.format}",
            fix=f"use it with: {', '.join(control.formats)}",
        )
    return control.run(data)
