"""The gradients of one effective batch, in as many parts as memory allows.

Losses are summed over all parts (and processes) and divided by the units of the whole batch afterwards, so how a batch
is split changes the order of additions and nothing else. Where a part does not fit into memory, the parts become half
as large and the batch is begun again, with the random state it had.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature, whole_batch
from adapterxfer.formats.inference import Forward
from adapterxfer.formats.memory import out_of_memory
from adapterxfer.training.batches import micro_batches
from adapterxfer.training.bottom import Bottom
from adapterxfer.training.seeds import DropoutStream
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel

if TYPE_CHECKING:
    from adapterxfer.training.parallel import Processes


class Sums(NamedTuple):
    """What one effective batch adds up to.

    Attributes:
        total: summed loss.
        units: how many units it is the sum over.
        tokens: real tokens.
        padded_tokens: tokens computed.
    """

    total: Tensor
    units: int
    tokens: int
    padded_tokens: int


class Accumulator:
    """Adds up gradients.

    Args:
        model: on the accelerator's device, in training mode.
        forward: what computes its hidden states: the model, or a compiled form of it.
        accelerator: precision, device and, with several processes, this one's share.
        token_budget: rows times width of one part.
        dropout: random state that a repeated batch starts from again.
        log: told when memory ran out.
        processes: with shards, all of them run the model equally often, the last times for nothing.
        bottom: keeps the states of the lower layers; None where they are computed each time.
    """

    def __init__(
        self,
        model: TransferModel,
        forward: Forward,
        accelerator: Accelerator,
        *,
        token_budget: int,
        dropout: DropoutStream,
        log: Callable[[Mapping[str, Any]], None],
        processes: Processes,
        bottom: Bottom | None = None,
    ) -> None:
        self._model, self._forward, self._accelerator, self._bottom = model, forward, accelerator, bottom
        self._dropout, self._log, self._processes = dropout, log, processes
        self._on_cpu = accelerator.device.type == "cpu"
        self.token_budget = token_budget
        self.halvings: list[dict[str, int]] = []

    def run(self, step: int, task: TrainTask, features: Sequence[Feature]) -> Sums:
        """Gradients of ``features``, summed into the parameters.

        Raises:
            StageError: a single feature does not fit into memory, or a batch that cannot be cut.
        """
        head = self._model.head(task.name)
        state = self._dropout.state()
        while True:
            parts = self._parts(task, features)
            try:
                return self._sums(task, head, parts)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            if self._processes.shards:
                raise StageError(
                    f"memory ran out at step {step}: with sharding: fsdp a step cannot be repeated in smaller parts, "
                    "since the other processes are in the middle of it",
                    fix="run again with half of --batch-tokens, or set gradient_checkpointing: true",
                )
            # Outside of the handler: its traceback keeps the tensors alive that have to go.
            self._release()
            self._dropout.set_state(state)
            if whole_batch(task.format):
                raise StageError(
                    f"memory ran out at step {step}: task '{task.name}' compares the examples of a batch, which cannot "
                    "be cut",
                    fix="lower batch_size or max_length, set dtype: bf16, or use a larger device",
                )
            self._halve(step, parts)

    def _parts(self, task: TrainTask, features: Sequence[Feature]) -> list[Sequence[Feature]]:
        if not features:
            return []
        return [features] if whole_batch(task.format) else micro_batches(features, token_budget=self.token_budget)

    def _sums(self, task: TrainTask, head: torch.nn.Module, parts: Sequence[Sequence[Feature]]) -> Sums:
        units = tokens = padded = 0
        total = torch.zeros((), device=self._accelerator.device)
        for part in parts:
            batch = task.format.collate(part, pad_id=task.pad_id)
            tokens += int(batch.attention_mask.sum())
            padded += batch.attention_mask.numel()
            if not self._on_cpu:
                batch = batch.to(self._accelerator.device)
            with self._accelerator.autocast():
                if self._bottom is None:
                    hidden = self._forward(batch.input_ids, batch.attention_mask, batch.reads)
                else:
                    hidden = self._bottom.hidden(task, part, batch)
                loss = task.format.loss(head(hidden, batch), batch)
            self._accelerator.backward(loss.total)
            units += loss.units
            total = total + loss.total.detach()
        for _ in range(self._processes.most(len(parts)) - len(parts)):
            self._run_for_nothing(task, head)
        return Sums(total, units, tokens, padded)

    def _run_for_nothing(self, task: TrainTask, head: torch.nn.Module) -> None:
        """Take part in gathering weights and adding up gradients, and add nothing."""
        batch = task.format.collate([task.features[0]], pad_id=task.pad_id).to(self._accelerator.device)
        with self._accelerator.autocast():
            hidden = self._forward(batch.input_ids, batch.attention_mask, batch.reads)
            loss = task.format.loss(head(hidden, batch), batch)
        self._accelerator.backward(loss.total * 0.0)

    def _release(self) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None
        gc.collect()
        if not self._on_cpu:
            torch.cuda.empty_cache()

    def _halve(self, step: int, parts: Sequence[Sequence[Feature]]) -> None:
        largest = max(parts, key=_size)
        if len(largest) < 2:
            raise StageError(
                f"memory ran out at step {step}: a single example of {_size(largest):,} tokens does not fit",
                fix="set gradient_checkpointing: true or dtype: bf16, lower max_length, or use a larger device",
            )
        before, self.token_budget = self.token_budget, max(1, min(self.token_budget, _size(largest)) // 2)
        self.halvings.append({"step": step, "token_budget": self.token_budget})
        self._log({"memory": "ran out; the step is repeated in smaller parts", "step": step,
                   "token_budget": self.token_budget, "token_budget_before": before})  # fmt: skip


def _size(features: Sequence[Feature]) -> int:
    """Padded tokens of one part."""
    return max(feature.length for feature in features) * sum(feature.rows for feature in features)
