"""World stand-ins: for every real task one of the synthetic world with the same format, under the real task's name.

They let a recipe of real tasks be run from end to end in minutes, without its data. Nothing measured on them says
anything about the task whose name they bear, and every page says so.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapterxfer.catalog.records import Task
from adapterxfer.world.task_list import NLI_LABELS
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

TWO_LABELS = ("entailment", "contradiction")
"""Labels of a stand-in for a task with two labels: the world's inference without its neutral pairs."""

TRAIN_EXAMPLES, DEV_EXAMPLES, TEST_EXAMPLES = 1000, 60, 60
"""Most examples of a stand-in, test: per language; few enough for a whole study in minutes."""

SIZES = ("world-nano", "world-micro", "world-mini", "world-small")
"""Backbones that stand in for real ones, by size."""


def stand_in_name(task: Task) -> str:
    """The world task of the same format and role: of the same kind of annotation where there is one, else the first."""
    alike = {
        name: world for name, world in WORLD_TASKS.items() if (world.format, world.role) == (task.format, task.role)
    }
    if not alike:  # the world's retrieval is a target; an intermediate one has no other stand-in
        alike = {name: world for name, world in WORLD_TASKS.items() if world.format == task.format}
    return next((name for name, world in alike.items() if world.kin == task.kin), next(iter(alike)))


def label_names(task: Task) -> tuple[str, ...]:
    """Label names of a task in official order; empty where it has none or its data decide."""
    if task.stand_in:
        return stand_in_labels(task) or WORLD_TASKS[task.stand_in].labels
    if task.synthetic:
        return WORLD_TASKS[task.name].labels
    return task.labels


def stand_in_labels(task: Task) -> tuple[str, ...]:
    """The labels a stand-in keeps of its world task; empty for all of them."""
    return TWO_LABELS if task.format == "sequence_classification" and len(task.labels) == 2 else ()


def stand_in(task: Task, world: Task) -> Task:
    """The catalogue entry of a real task with the world behind it.

    Args:
        task: a real task.
        world: the entry of the task that `stand_in_name` names.
    """
    return replace(
        world,
        name=task.name,
        role=task.role,
        kin=task.kin,
        stand_in=world.name,
        before=task.before,
        labels=task.labels,
        train_examples=min(world.train_examples or 0, TRAIN_EXAMPLES),
        dev_examples=min(world.dev_examples or 0, DEV_EXAMPLES),
        test_examples=min(world.test_examples or 0, TEST_EXAMPLES),
        note=f"stand-in from the synthetic world: {world.name}",
    )


def stand_in_source(task: Task) -> dict[str, Any]:
    """What a stand-in's source adds to its identity: the world task, its own seed, and the labels it keeps."""
    seed = zlib.crc32(task.name.encode()) % 100_000 + 1
    labels = stand_in_labels(task)
    return {"stand_in": task.stand_in, "seed": seed, **({"labels": list(labels)} if labels else {})}


def stand_in_backbones(count: int) -> tuple[str, ...]:
    """Backbones of the world for ``count`` real ones from small to large; more than four share."""
    if count == 1:
        return ("world-mini",)
    sizes = (SIZES[0], SIZES[2]) if count == 2 else SIZES[: min(count, len(SIZES))]
    return tuple(sizes[index * len(sizes) // count] for index in range(count))


def shared_heads(tasks: Sequence[Task]) -> list[list[str]]:
    """Groups of tasks that share a head: equal formats with equal label names, each with more than one task.

    Span questions and multiple choice have no labels, so all of them share; tags that the data decide are never shared.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for task in tasks:
        labels = label_names(task)
        if labels or task.format in ("span_qa", "multiple_choice", "retrieval"):
            groups.setdefault((task.format, labels), []).append(task.name)
    return [names for names in groups.values() if len(names) > 1]


assert set(TWO_LABELS) < set(NLI_LABELS)
