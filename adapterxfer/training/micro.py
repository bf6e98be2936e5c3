"""The gradients of one effective batch, in as many parts as memory allows (`halving`).

Losses are summed over all parts (and processes) and divided by the units of the whole batch afterwards, so how a batch
is split changes the order of additions and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature
from adapterxfer.formats.inference import Forward
from adapterxfer.training.batches import micro_batches
from adapterxfer.training.bottom import Bottom
from adapterxfer.training.device import DeviceContext
from adapterxfer.training.halving import Halving
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


class Accumulator(Halving[Sums]):
    """Adds up gradients.

    Args:
        model: on the context's device, in training mode.
        forward: what computes its hidden states: the model, or a compiled form of it.
        context: precision, device and, with several processes, this one's share.
        token_budget: rows times width of one part.
        dropout: random state that a repeated batch starts from again.
        log: told when memory ran out.
        processes: with shards, all of them run the model equally often, some with batches that add nothing.
        bottom: keeps the states of the lower layers; None where they are computed each time.
    """

    def __init__(
        self,
        model: TransferModel,
        forward: Forward,
        context: DeviceContext,
        *,
        token_budget: int,
        dropout: DropoutStream,
        log: Callable[[Mapping[str, Any]], None],
        processes: Processes,
        bottom: Bottom | None = None,
    ) -> None:
        super().__init__(context, token_budget=token_budget, dropout=dropout, log=log)
        self._model, self._forward, self._bottom = model, forward, bottom
        self._processes = processes

    def _check_repeatable(self, step: int) -> None:
        if self._processes.shards:
            raise StageError(
                f"memory ran out at step {step}: with sharding: fsdp a step cannot be repeated in smaller parts, "
                "since the other processes are in the middle of it",
                fix="run again with half of --batch-tokens, or set gradient_checkpointing: true",
            )

    def _parts(self, task: TrainTask, features: Sequence[Feature]) -> list[Sequence[Feature]]:
        if not features:
            return []
        return [features] if task.format.whole_batch else micro_batches(features, token_budget=self.token_budget)

    def _sums(self, task: TrainTask, parts: Sequence[Sequence[Feature]]) -> Sums:
        head = self._model.head(task.name)
        units = tokens = padded = 0
        total = torch.zeros((), device=self._context.device)
        for features in parts:
            batch = task.format.collate(features, pad_id=task.pad_id)
            tokens += int(batch.attention_mask.sum())
            padded += batch.attention_mask.numel()
            if not self._on_cpu:
                batch = batch.to(self._context.device)
            with self._context.autocast():
                if self._bottom is None:
                    hidden = self._forward(batch.input_ids, batch.attention_mask, batch.reads)
                else:
                    hidden = self._bottom.hidden(task, features, batch)
                loss = task.format.loss(head(hidden, batch), batch)
            loss.total.backward()
            units += loss.units
            total = total + loss.total.detach()
        for _ in range(self._processes.most(len(parts)) - len(parts)):
            self._run_without_effect(task, head)
        return Sums(total, units, tokens, padded)

    def _run_without_effect(self, task: TrainTask, head: torch.nn.Module) -> None:
        """Take part in gathering weights and adding up gradients, and add nothing."""
        batch = task.format.collate([task.features[0]], pad_id=task.pad_id).to(self._context.device)
        with self._context.autocast():
            hidden = self._forward(batch.input_ids, batch.attention_mask, batch.reads)
            loss = task.format.loss(head(hidden, batch), batch)
        (loss.total * 0.0).backward()

    def _forget_gradients(self) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None
