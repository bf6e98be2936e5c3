"""Several processes, one per device, that train one model: each takes its share of every effective batch.

Losses are sums, so gradients, losses and counts of all processes are added up in one call a step and divided by the
units of the whole batch: the same model as one process would train, but for the order of additions. That is data
parallelism without the wrapper of `torch.nn.parallel`, which averages over processes, whatever their share of units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature
from adapterxfer.training.device import DeviceContext
from adapterxfer.training.meter import Log
from adapterxfer.training.micro import Sums
from adapterxfer.training.sharding import is_shard
from adapterxfer.training.tasks import TrainTask


class Processes:
    """What this process exchanges with the others that share a training; nothing, where it is alone.

    Args:
        context: knows the others.
        shards: whether each holds a part of the weights only, so that all must run the model equally often.
    """

    def __init__(self, context: DeviceContext, *, shards: bool = False) -> None:
        self._context = context
        self.shards = shards
        self._count = int(context.num_processes)
        self._rank = int(context.process_index)

    @property
    def first(self) -> bool:
        """Whether this process writes and logs."""
        return self._rank == 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count

    def most(self, number: int) -> int:
        """The largest of all processes' numbers, where they hold shards; otherwise the own one."""
        if not self.shards:
            return number
        return int(self._context.gather(torch.tensor([number], device=self._context.device)).max())

    @property
    def rank_purpose(self) -> tuple[str, ...]:
        """Tells the random streams of processes apart; nothing for the first, which draws as if alone."""
        return () if self._rank == 0 else (f"process {self._rank}",)

    def only_first(self, log: Log) -> Log:
        """The log of the first process; the others are silent."""
        return log if self.first else _silent

    def check(self, tasks: Sequence[TrainTask]) -> None:
        """Refuse tasks whose loss compares the examples of a batch: cut over processes, it would be another loss.

        Raises:
            StageError: there is such a task, and this is not the only process.
        """
        whole = [task.name for task in tasks if task.format.whole_batch]
        if whole and self._count > 1:
            raise StageError(
                f"task '{whole[0]}' compares the examples of a batch: each of {self._count} processes would see a part",
                fix="train it on one device",
            )

    def share(self, features: Sequence[Feature]) -> Sequence[Feature]:
        """Own part of an effective batch: every n-th by length, so that all have the same work."""
        if self._count == 1:
            return features
        return sorted(features, key=lambda feature: feature.length)[self._rank :: self._count]

    def join(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        """Add up gradients and sums of all processes; afterwards all have the same.

        Gradients of shards are added up in the backward pass already.
        """
        if self._count == 1:
            return sums
        parameters = [parameter for parameter in parameters if not is_shard(parameter)]
        present = torch.tensor([parameter.grad is not None for parameter in parameters], device=sums.total.device)
        counts = torch.tensor([sums.units, sums.tokens, sums.padded_tokens], device=sums.total.device)
        facts = self._sum(torch.cat([sums.total.double()[None], counts.double(), present.double()]))
        somewhere = [p for p, count in zip(parameters, facts[4:].tolist(), strict=True) if count]
        for parameter in somewhere:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if somewhere:
            gradients: list[Any] = [parameter.grad for parameter in somewhere]
            whole = self._sum(torch.cat([gradient.flatten() for gradient in gradients]))
            parts = torch.split(whole, [gradient.numel() for gradient in gradients])
            for gradient, summed in zip(gradients, parts, strict=True):
                gradient.copy_(summed.view_as(gradient))
        units, tokens, padded = (int(value) for value in facts[1:4].tolist())
        return Sums(facts[0].to(sums.total.dtype), units, tokens, padded)

    def agree(self, stopping: bool, due: bool) -> tuple[bool, bool]:
        """Whether any process is asked to stop, and whether the first finds a checkpoint due."""
        if self._count == 1:
            return stopping, due
        flags = torch.tensor([float(stopping), float(due and self.first)], device=self._context.device)
        any_stopping, first_due = self._sum(flags).tolist()
        return any_stopping > 0, first_due > 0

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of all processes, as ``<name>@<rank>``; empty for a process alone."""
        if self._count == 1:
            return {}
        gathered: dict[str, Tensor] = {}
        for name in sorted(tensors):
            tensor = tensors[name].to(self._context.device)
            rows = self._context.gather(tensor[None])
            gathered |= {f"{name}@{rank}": row.cpu() for rank, row in enumerate(rows)}
        return gathered

    def wait(self) -> None:
        """Return when every process has called this."""
        if self._count > 1:
            self._context.wait()

    def own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Own tensors of what `gather` gave, or those of the process that was alone."""
        suffix = f"@{self._rank}"
        mine = {name.removesuffix(suffix): tensor for name, tensor in tensors.items() if name.endswith(suffix)}
        return mine or {name: tensor for name, tensor in tensors.items() if "@" not in name}

    def _sum(self, tensor: Tensor) -> Tensor:
        return self._context.sum(tensor)


def _silent(line: Mapping[str, Any]) -> None:
    """Log of all processes but the first."""
