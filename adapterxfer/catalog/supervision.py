"""Names of targets whose models saw labelled data in the target language: ``TASK@LABEL``, as of other evaluations.

A score under such a name is no zero-shot score. It stands in tables of its own and in no mean of others.
"""

from __future__ import annotations

from typing import Literal

from adapterxfer.catalog.protocols import base_target, target_under

Kind = Literal["few-shot", "translate-train", "in-language", "sources"]

FEW_SHOT: Kind = "few-shot"
TRANSLATE_TRAIN: Kind = "translate-train"
IN_LANGUAGE: Kind = "in-language"
SOURCES: Kind = "sources"

KINDS: dict[Kind, str] = {
    FEW_SHOT: "the English-trained model, trained further on a few examples of the language it is tested in",
    TRANSLATE_TRAIN: "trained on a translation of the English training set into the language it is tested in",
    IN_LANGUAGE: "trained on the training set of the language it is tested in: an upper bound for transfer",
    SOURCES: "one model, trained on several languages together and tested in the others",
}
"""Kind of supervision -> what it is, in the order in which tables show it."""

ZERO_SHOT = "zero-shot"
"""What a target without supervision is called beside the others."""


def label_of(kind: Kind, *, examples: int | None = None, languages: tuple[str, ...] = ()) -> str:
    """``few-shot-16``, ``in-language``, ``in-language-100``, ``sources-en+de``.

    Args:
        examples: how many are drawn; None for all there are.
        languages: that are trained on, of `SOURCES`.
    """
    tail = "+".join(languages) if kind == SOURCES else "" if examples is None else str(examples)
    return f"{kind}-{tail}" if tail else kind


def supervision_of(target: str) -> str:
    """The label of a target's supervision in the target language; empty for a zero-shot target."""
    label = target.removeprefix(base_target(target))[1:]
    return label if kind_of(label) else ""


def kind_of(label: str) -> Kind | None:
    """The kind behind a label; None for another evaluation, such as ``dev`` or ``top-layer``."""
    for kind in KINDS:
        if label == kind or label.startswith(f"{kind}-"):
            return kind
    return None


def supervised_target(task: str, label: str) -> str:
    """What a target is called under a supervision."""
    return target_under(task, label)
