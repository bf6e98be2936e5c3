"""How the parts of a mixed training share it: steps between tasks, and examples between languages inside a task.

Shares are declared before the training and counted while it runs: `Tally` holds both, so that a stage records what was
drawn, not what was meant. Both kinds of draws are stratified; independent draws would miss a share of a few hundred
steps by several points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapterxfer.errors import StageError
from adapterxfer.training.batches import WINDOW_BATCHES, task_choices, task_weights
from adapterxfer.training.seeds import numpy_generator
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask

CHOICES = "tasks"
"""Purpose of the generator that chooses the task of each step."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """Length of a training and the share of its steps that each task gets, shape ``(tasks,)``."""

    steps: int
    weights: NDArray[np.float64]

    def steps_by_task(self, seed: int) -> list[int]:
        """Steps each task will get: the same choices as the training makes."""
        drawn = Counter(islice(task_choices(self.weights, numpy_generator(seed, CHOICES)), self.steps))
        return [drawn[index] for index in range(len(self.weights))]


def plan_steps(tasks: Sequence[TrainTask], settings: TrainSettings, sampling: Mapping[str, Any] | None) -> StepPlan:
    """Length and weights of a training.

    Tasks with a fixed share (the language modelling of an MLM mix) come on top: the others keep as many steps as they
    would have without them, so two arms differ in nothing but what was added.

    Args:
        tasks: their sizes decide the length where it is given in epochs, and the weights.
        sampling: how the task of a step is chosen, see `task_weights`.

    Raises:
        StageError: there is no task without a fixed share, or nothing is left for it.
    """
    free = [task for task in tasks if task.share is None]
    fixed = sum(task.share or 0.0 for task in tasks)
    if not free or not 0 <= fixed < 1:
        raise StageError(
            f"{len(free)} tasks share what {fixed:g} of the steps leave", fix="correct 'mlm_mix: share' in the recipe"
        )
    task_steps = settings.total_steps(sum(task.count for task in free))
    among = iter(task_weights([task.count for task in free], sampling) * (1 - fixed))
    weights = np.array([next(among) if task.share is None else task.share for task in tasks])
    return StepPlan(round(task_steps / (1 - fixed)), weights)


def stratified_batches(
    lengths: NDArray[np.int64],
    group_of: NDArray[np.int64],
    shares: NDArray[np.float64],
    *,
    batches: int,
    batch_size: int,
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Feature indices of every batch; after each window, no group is more than one feature off its share.

    Inside a window features are sorted by length, cut into batches and the batches shuffled. A group is repeated in a
    new order when it is used up.

    Args:
        lengths: tokens of each feature, shape ``(features,)``.
        group_of: group of each feature, same shape.
        shares: share of each group, shape ``(groups,)``; groups with a share must have features.
        batches: how many; the last window may be shorter.
        batch_size: features of each.
        rng: decides the order.
    """
    members = [np.flatnonzero(group_of == group) for group in range(len(shares))]
    waiting = [np.empty(0, dtype=np.int64) for _ in members]
    taken = np.zeros(len(shares), dtype=np.int64)
    batches_so_far: list[NDArray[np.int64]] = []
    while len(batches_so_far) < batches:
        drawn = min(WINDOW_BATCHES, batches - len(batches_so_far)) * batch_size
        target = np.maximum(shares * (taken.sum() + drawn) - taken, 0.0)
        counts = np.floor(target).astype(np.int64)
        counts[np.argsort(counts - target, kind="stable")[: drawn - counts.sum()]] += 1
        picks = []
        for group, count in enumerate(counts):
            while len(waiting[group]) < count:
                waiting[group] = np.concatenate([waiting[group], rng.permutation(members[group])])
            picks.append(waiting[group][:count])
            waiting[group] = waiting[group][count:]
        taken += counts
        chosen = np.concatenate(picks)
        chosen = chosen[rng.permutation(len(chosen))]
        chosen = chosen[np.argsort(lengths[chosen], kind="stable")].reshape(-1, batch_size)
        batches_so_far.extend(chosen[rng.permutation(len(chosen))])
    return batches_so_far


@dataclass(slots=True)
class Tally:
    """What was declared and what was drawn.

    Attributes:
        tasks: of the training.
        weights: declared share of the steps by task.
        steps: steps each task got so far.
        drawn: examples drawn by language, for each task with a mixture.
    """

    tasks: Sequence[TrainTask]
    weights: NDArray[np.float64]
    steps: dict[str, int] = field(init=False)
    drawn: dict[str, NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        self.steps = dict.fromkeys((task.name for task in self.tasks), 0)
        mixed = [task for task in self.tasks if task.mixture is not None]
        self.drawn = {task.name: np.zeros(len(task.mixture.names), dtype=np.int64) for task in mixed if task.mixture}

    def see(self, which: int, features: NDArray[np.int64]) -> None:
        """Count one step of a task and the features it drew."""
        task = self.tasks[which]
        self.steps[task.name] += 1
        if task.mixture is not None:
            groups = task.mixture.group_of[features]
            self.drawn[task.name] += np.bincount(groups, minlength=len(task.mixture.names))

    def as_json(self) -> dict[str, Any] | None:
        """Declared and realised shares: of steps by task, of examples by language; None for a plain training."""
        shares: dict[str, Any] = {}
        total = sum(self.steps.values())
        if len(self.tasks) > 1:
            shares["tasks"] = {
                task.name: _shares(weight, self.steps[task.name] / total)
                for task, weight in zip(self.tasks, self.weights.tolist(), strict=True)
            }
        for task in self.tasks:
            if task.mixture is not None:
                drawn = self.drawn[task.name] / max(1, self.drawn[task.name].sum())
                shares.setdefault("languages", {})[task.name] = {
                    name: _shares(declared, realised)
                    for name, declared, realised in zip(
                        task.mixture.names, task.mixture.shares.tolist(), drawn.tolist(), strict=True
                    )
                }
        return shares or None


def _shares(declared: float, realised: float) -> dict[str, float]:
    return {"declared": round(declared, 6), "realised": round(realised, 6)}
