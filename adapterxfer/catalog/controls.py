"""Controls: baselines and diagnostics that stand beside the scores."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.catalog.records import ControlSpec, Task

ORACLE = "oracle (target dev): "
"""Beginning of the names of diagnostics: the same training, its weights selected by development data in the target
languages. No zero-shot result: shown beside the scores, in no verdict, never published."""

BY_LANGUAGE = "mean over languages"
"""Score that the diagnostics are selected by: languages count alike, as in the scores of a study."""

_NO_DEV = "; no dev set: "


def oracle_label(system: str, without: Sequence[str] = ()) -> str:
    """Name of the diagnostic of a system.

    Args:
        without: test languages that have no development data; the diagnostic has no score in them.
    """
    return ORACLE + system + (_NO_DEV + " ".join(without) if without else "")


def oracle_without(control: str) -> tuple[str, ...]:
    """The languages in which a diagnostic of this name has no score; none for every other control."""
    return tuple(control.partition(_NO_DEV)[2].split()) if control.startswith(ORACLE) else ()


def oracle_system(control: str) -> str:
    """The system that a diagnostic is about; empty for every other control."""
    return control.removeprefix(ORACLE).partition(_NO_DEV)[0] if control.startswith(ORACLE) else ""


CONTROLS: dict[str, ControlSpec] = {
    control.name: control
    for control in (
        ControlSpec(
            "majority",
            ("sequence_classification", "tagging", "multiple_choice"),
            "none",
            "the most frequent gold label of each test language (an oracle)",
        ),
        ControlSpec("lookup", ("tagging",), "none", "the most frequent English training tag of the word"),
        ControlSpec(
            "hypothesis-only",
            ("sequence_classification",),
            "none",
            "a classifier that sees only the second text",
            kin="nli",
        ),
        ControlSpec(
            "premise-only",
            ("sequence_classification",),
            "none",
            "a classifier that sees only the first text",
            kin="nli",
        ),
        ControlSpec("random-choice", ("multiple_choice",), "none", "any choice, in expectation"),
        ControlSpec("random-span", ("span_qa",), "none", "a random span of the context"),
        ControlSpec(
            "informed-guess", ("span_qa",), "none", "a random phrase of the context that the question does not name"
        ),
        ControlSpec("whole-sentence", ("span_qa",), "none", "the whole context as the answer"),
        ControlSpec("embedding-layer", ("retrieval",), "backbone", "retrieval with the embedding layer alone"),
    )
}


def controls_of(task: Task) -> tuple[str, ...]:
    """Controls that exist for a target task."""
    return tuple(
        control.name
        for control in CONTROLS.values()
        if task.format in control.formats and (not control.kin or control.kin == task.kin)
    )
