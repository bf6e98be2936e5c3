"""What an intermediate task and a target have in common: gains of different kinds of pairs should not be averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.records import Task
from adapterxfer.catalog.tasks import tasks

PairKind = Literal["", "same kind", "other kind", "several tasks", "no target training"]
"""``same kind``: both tasks have the same annotation (NLI before NLI); ``other kind``: they do not; ``several tasks``:
`multi` or `pool`; ``no target training``: the target is evaluated with the intermediate model itself (retrieval), so
its gain also pays for what that training made of the sentence vectors. Empty: the catalogue does not know the tasks."""

SEVERAL = ("multi", "pool")

UNTRAINED_TARGET: PairKind = "no target training"

LABELS: dict[PairKind, str] = {
    "same kind": "An intermediate task of the same kind as the target",
    "other kind": "One of another kind",
    "several tasks": "Several intermediate tasks together",
    "no target training": "Where the target is not trained (retrieval), an intermediate task",
}
"""Beginning of a sentence about pairs of a kind."""


def pair_kind(intermediate: str, target: str, known: Mapping[str, Task] | None = None) -> PairKind:
    """Kind of one (intermediate, target) pair; an arm of a task is of the task's kind.

    Args:
        known: the tasks of the study where it declares some of its own; those of the catalogue if None.
    """
    known = tasks() if known is None else known
    if target in known and not known[target].trained:
        return UNTRAINED_TARGET
    intermediate = split_arm(intermediate).base
    if intermediate in SEVERAL:
        return "several tasks"
    if target not in known or intermediate not in known:
        return ""
    return "same kind" if known[intermediate].kin == known[target].kin else "other kind"


def kinds_in_order(kinds: Iterable[str]) -> tuple[PairKind, ...]:
    """Those that occur, in the order in which they are shown."""
    present = set(kinds)
    return tuple(kind for kind in LABELS if kind in present)
