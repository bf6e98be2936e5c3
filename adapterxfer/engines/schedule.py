"""Which ready stage runs next: the one with the most work behind it, near the backbone a worker already holds."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any

from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import CANDIDATE, CHOICE, MERGED

DEFAULT_COST: Mapping[str, float] = {
    "prepare": 1.0,
    "pretrain": 100.0,
    "train_language": 20.0,
    "train_intermediate": 20.0,
    "reuse_intermediate": 2.0,
    "train_target": 10.0,
    "train_together": 20.0,
    "train_fusion": 10.0,
    CANDIDATE: 10.0,
    CHOICE: 0.1,
    MERGED: 1.0,
    "predict": 2.0,
    "report": 1.0,
}
"""Rough relative durations, used where a plan gives no ``resources["cost"]``; they only change the order."""

LOOK_AHEAD = 16
"""Ready stages that are looked at for one with the worker's backbone."""

WORTH = 0.5
"""A stage with the worker's backbone goes first if the work behind it is at least this part of the largest."""


def cost(stage: Stage) -> float:
    """Relative duration of a stage."""
    planned = stage.resources.get("cost")
    if isinstance(planned, int | float) and planned > 0:
        return float(planned)
    return DEFAULT_COST.get(stage.kind, 1.0)


def backbone_name(stage: Stage) -> str:
    """Name of the backbone a stage needs in memory; empty if none."""
    backbone: Any = stage.identity.get("backbone") or stage.labels.get("backbone") or ""
    return str(backbone.get("name", "")) if isinstance(backbone, Mapping) else str(backbone)


class Schedule:
    """The stages still to run and the order in which they become ready.

    Args:
        stages: key -> stage in topological order, without those that already have results.
        done: keys of stages that have results.
    """

    def __init__(self, stages: Mapping[str, Stage], done: set[str]) -> None:
        self._stages = stages
        self._order = {key: number for number, key in enumerate(stages)}
        self._dependents: dict[str, list[str]] = {key: [] for key in stages}
        self._missing: dict[str, int] = {}
        for key, stage in stages.items():
            needed = set(stage.inputs.values()) - done
            self._missing[key] = len(needed)
            for other in needed:
                self._dependents[other].append(key)
        self._work: dict[str, float] = {}
        for key in reversed(list(stages)):
            behind = (self._work[other] for other in self._dependents[key])
            self._work[key] = cost(stages[key]) + max(behind, default=0.0)
        self._heap: list[tuple[float, int, str]] = []
        for key, missing in self._missing.items():
            if missing == 0:
                self.ready(key)

    def __len__(self) -> int:
        """Stages that could start now."""
        return len(self._heap)

    def ready(self, key: str) -> None:
        """Put a stage (back) among those that can start."""
        heapq.heappush(self._heap, (-self._work[key], self._order[key], key))

    def take(self, backbone: str = "", fits: Callable[[Stage], bool] | None = None) -> Stage | None:
        """The stage to start next on a worker that holds this backbone; None if none is ready.

        Args:
            fits: whether there is memory for a stage; others are left for later.
        """
        held: list[tuple[float, int, str]] = []
        while fits is not None and self._heap and not fits(self._stages[self._heap[0][2]]):
            held.append(heapq.heappop(self._heap))
        stage = self._take(backbone, fits) if self._heap else None
        for queued in held:
            heapq.heappush(self._heap, queued)
        return stage

    def _take(self, backbone: str, fits: Callable[[Stage], bool] | None) -> Stage:
        seen: list[tuple[float, int, str]] = []
        chosen = self._heap[0]
        while backbone and self._heap and len(seen) < LOOK_AHEAD and self._heap[0][0] <= WORTH * chosen[0]:
            candidate = heapq.heappop(self._heap)
            seen.append(candidate)
            stage = self._stages[candidate[2]]
            if backbone_name(stage) == backbone and (fits is None or fits(stage)):
                chosen = candidate
                break
        if not seen:
            seen.append(heapq.heappop(self._heap))
        for queued in seen:
            if queued is not chosen:
                heapq.heappush(self._heap, queued)
        return self._stages[chosen[2]]

    def finish(self, key: str) -> None:
        """A stage has its result: its dependents come closer."""
        for other in self._dependents[key]:
            self._missing[other] -= 1
            if self._missing[other] == 0:
                self.ready(other)

    def dependents(self, key: str) -> list[str]:
        """All stages that need this one, directly or not, in plan order."""
        dependents: set[str] = set()
        stack = [key]
        while stack:
            for other in self._dependents[stack.pop()]:
                if other not in dependents:
                    dependents.add(other)
                    stack.append(other)
        return sorted(dependents, key=self._order.__getitem__)
