"""Which task a step trains and which features it sees: a function of the seed and of nothing else.

So a training that goes on in the middle draws again what it has drawn before and throws it away; the states of the
generators say whether it was the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapterxfer.formats.base import Feature
from adapterxfer.training.batches import feature_batches, task_choices, task_weights
from adapterxfer.training.seeds import numpy_generator
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask


class Draw(NamedTuple):
    """What one optimiser step trains on: the index of a task, and features of it."""

    task: int
    features: list[Feature]


class Streams:
    """Endless draws for the tasks of one training.

    Args:
        tasks: what is trained.
        settings: their ``batch_size`` is the effective batch.
        seed: of order and choice.
        sampling: how the task of a step is chosen; see `batches.task_weights`.
    """

    def __init__(
        self, tasks: Sequence[TrainTask], settings: TrainSettings, *, seed: int, sampling: Mapping[str, Any] | None
    ) -> None:
        self._tasks = tasks
        self._generators = [numpy_generator(seed, "order", task.name) for task in tasks]
        self._orders = [
            feature_batches([feature.length for feature in task.features], batch_size=settings.batch_size, rng=rng)
            for task, rng in zip(tasks, self._generators, strict=True)
        ]
        self._generators.append(numpy_generator(seed, "tasks"))
        weights = task_weights([len(task.features) for task in tasks], sampling)
        self._choices = task_choices(weights, self._generators[-1])
        self.steps_by_task = dict.fromkeys((task.name for task in tasks), 0)

    def draw(self) -> Draw:
        """The next step."""
        which = next(self._choices)
        task = self._tasks[which]
        self.steps_by_task[task.name] += 1
        return Draw(which, [task.features[index] for index in next(self._orders[which])])

    def skip(self, steps: int) -> None:
        """Draw the steps of an earlier run again."""
        for _ in range(steps):
            which = next(self._choices)
            self.steps_by_task[self._tasks[which].name] += 1
            next(self._orders[which])

    def states(self) -> list[Any]:
        """States of all generators, as JSON values."""
        return [dict(generator.bit_generator.state) for generator in self._generators]
