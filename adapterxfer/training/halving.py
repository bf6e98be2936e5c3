"""One effective batch in parts that become half as large where memory runs out, whatever is computed of a part.

The batch is begun again then, with the random state it had, so its gradients are those of the whole batch all the same.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature
from adapterxfer.formats.memory import out_of_memory
from adapterxfer.training.device import DeviceContext
from adapterxfer.training.seeds import DropoutStream
from adapterxfer.training.tasks import TrainTask

Found = TypeVar("Found")


class Halving(ABC, Generic[Found]):
    """Cuts a batch, computes its parts, and cuts it smaller where they do not fit.

    Args:
        context: device of the model.
        token_budget: rows times width of one part.
        dropout: random state that a repeated batch starts from again.
        log: told when memory ran out.
        least: features of a part that cannot be cut.

    Attributes:
        token_budget: as it is now.
        halvings: ``{step, token_budget}`` of every time memory ran out.
    """

    def __init__(
        self,
        context: DeviceContext,
        *,
        token_budget: int,
        dropout: DropoutStream,
        log: Callable[[Mapping[str, Any]], None],
        least: int = 1,
    ) -> None:
        self._dropout, self._log, self._least = dropout, log, least
        self._context = context
        self._on_cpu = context.device.type == "cpu"
        self.token_budget = token_budget
        self.halvings: list[dict[str, int]] = []

    def run(self, step: int, task: TrainTask, features: Sequence[Feature]) -> Found:
        """Gradients of ``features``, summed into the parameters.

        Raises:
            StageError: a part that cannot be cut does not fit into memory.
        """
        state = self._dropout.state()
        while True:
            parts = self._parts(task, features)
            try:
                return self._sums(task, parts)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._check_repeatable(step)
            # Outside of the handler: its traceback keeps the tensors alive that have to go.
            self._forget_gradients()
            gc.collect()
            if not self._on_cpu:
                torch.cuda.empty_cache()
            self._dropout.set_state(state)
            if task.format.whole_batch:
                raise StageError(
                    f"memory ran out at step {step}: task '{task.name}' compares the examples of a batch, which cannot "
                    "be cut",
                    fix="lower batch_size or max_length, set dtype: bf16, or use a larger device",
                )
            self._halve(step, parts)

    @abstractmethod
    def _parts(self, task: TrainTask, features: Sequence[Feature]) -> list[Sequence[Feature]]:
        """Parts of a batch that keep to the budget, as far as they can be cut."""

    @abstractmethod
    def _sums(self, task: TrainTask, parts: Sequence[Sequence[Feature]]) -> Found:
        """Forward and backward pass of all parts."""

    @abstractmethod
    def _forget_gradients(self) -> None:
        """Drop what a batch that is begun again has added up."""

    def _check_repeatable(self, step: int) -> None:
        """Raise where a step cannot be begun again."""

    def _halve(self, step: int, parts: Sequence[Sequence[Feature]]) -> None:
        largest = max(parts, key=_size)
        if len(largest) <= self._least:
            smallest = "a single example" if self._least == 1 else f"one example of each of {self._least} seeds"
            more = "" if self._least == 1 else ", leave seeds_together out"
            raise StageError(
                f"memory ran out at step {step}: {smallest} of {_size(largest):,} tokens does not fit",
                fix=f"set gradient_checkpointing: true or dtype: bf16, lower max_length{more}, or use a larger device",
            )
        before, self.token_budget = self.token_budget, max(1, min(self.token_budget, _size(largest)) // 2)
        self.halvings.append({"step": step, "token_budget": self.token_budget})
        self._log({"memory": "ran out; the step is repeated in smaller parts", "step": step,
                   "token_budget": self.token_budget, "token_budget_before": before})  # fmt: skip


def _size(features: Sequence[Feature]) -> int:
    """Padded tokens of one part."""
    return max(feature.length for feature in features) * sum(feature.rows for feature in features)
