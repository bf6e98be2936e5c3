"""Which task a step trains and which features it sees: a function of the seed and of nothing else.

So a training that goes on in the middle draws again what it has drawn before and throws it away; the states of the
generators say whether it was the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapterxfer.formats.base import Feature
from adapterxfer.training.batches import feature_batches, task_choices
from adapterxfer.training.mixing import CHOICES, StepPlan, Tally
from adapterxfer.training.seeds import numpy_generator
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask


class Draw(NamedTuple):
    """What one optimiser step trains on: the index of a task, and features of it."""

    task: int
    features: list[Feature]


class Streams:
    """Draws for the tasks of one training.

    Args:
        tasks: what is trained; those with a mixture bring their batches.
        settings: their ``batch_size`` is the effective batch.
        plan: how the steps are shared.
        seed: of order and choice.

    Attributes:
        tally: what was drawn.
    """

    def __init__(self, tasks: Sequence[TrainTask], settings: TrainSettings, plan: StepPlan, *, seed: int) -> None:
        self._tasks = tasks
        self._generators = [numpy_generator(seed, CHOICES)]
        self._choices = task_choices(plan.weights, self._generators[0])
        self._orders = [self._order(task, settings, seed) for task in tasks]
        self.tally = Tally(tasks, plan.weights)

    def draw(self) -> Draw:
        """The next step."""
        which, indices = self._next()
        task = self._tasks[which]
        return Draw(which, [task.features[index] for index in indices])

    def skip(self, steps: int) -> None:
        """Draw the steps of an earlier run again."""
        for _ in range(steps):
            self._next()

    def states(self) -> list[Any]:
        """States of all generators and what is known of batches drawn before, as JSON values."""
        drawn = [task.mixture.batches for task in self._tasks if task.mixture is not None]
        digests = [hashlib.sha256(np.concatenate(batches).tobytes()).hexdigest() for batches in drawn if batches]
        return [*(dict(generator.bit_generator.state) for generator in self._generators), *digests]

    def _next(self) -> tuple[int, NDArray[np.int64]]:
        which = next(self._choices)
        indices = next(self._orders[which])
        self.tally.see(which, indices)
        return which, indices

    def _order(self, task: TrainTask, settings: TrainSettings, seed: int) -> Iterator[NDArray[np.int64]]:
        if task.mixture is not None:
            return iter(task.mixture.batches)
        self._generators.append(numpy_generator(seed, "order", task.name))
        lengths = [feature.length for feature in task.features]
        return feature_batches(lengths, batch_size=settings.batch_size, rng=self._generators[-1])
