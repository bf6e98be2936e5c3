"""The gradients of one step of several seeds: a batch of each, one forward and backward pass for all.

Every seed keeps its own head and its own loss, summed over its own units; only the encoder sees all rows, padded to the
width of the longest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.formats.base import Batch, Feature
from adapterxfer.formats.reads import Reads
from adapterxfer.training.device import DeviceContext
from adapterxfer.training.halving import Halving
from adapterxfer.training.micro import Sums
from adapterxfer.training.seed_table import SeedTable
from adapterxfer.training.seeds import DropoutStream
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapters_together import Together, cut
from adapterxfer.variants.model import TransferModel


class Joint(NamedTuple):
    """Batches of several seeds as one.

    Attributes:
        input_ids: shape ``(rows, width)``, the rows of one seed after those of another.
        attention_mask: the same shape.
        reads: of all; None where one of them reads everything.
        rows: rows of each seed.
        read: reads of each seed.
    """

    input_ids: Tensor
    attention_mask: Tensor
    reads: Reads | None
    rows: tuple[int, ...]
    read: tuple[int, ...]


def join(batches: Sequence[Batch], *, pad_id: int) -> Joint:
    """Put the batches of all seeds below each other."""
    width = max(batch.input_ids.shape[1] for batch in batches)
    rows = tuple(len(batch.input_ids) for batch in batches)
    ids = torch.cat([_widened(batch.input_ids, width, pad_id) for batch in batches])
    mask = torch.cat([_widened(batch.attention_mask, width, 0) for batch in batches])
    reads = [batch.reads for batch in batches if batch.reads is not None]
    if len(reads) < len(batches):
        return Joint(ids, mask, None, rows, ())
    most, first = max(each.most for each in reads), 0
    positions, slots = [], []
    for batch, each in zip(batches, reads, strict=True):
        positions.append(_moved(each.positions, batch.input_ids.shape[1], width, first))
        slots.append(_moved(each.slots, each.most, most, first))
        first += len(batch.input_ids)
    return Joint(ids, mask, Reads(most, torch.cat(positions), torch.cat(slots)), rows, tuple(map(len, positions)))


def _widened(rows: Tensor, width: int, value: int) -> Tensor:
    missing = width - rows.shape[1]
    return functional.pad(rows, (0, missing), value=value) if missing else rows


def _moved(index: Tensor, width: int, wide: int, first: int) -> Tensor:
    """Indices into flattened rows of ``width`` as those into rows of ``wide``, the first of which is row ``first``."""
    if width == wide:
        return index + first * wide
    return index + index.div(width, rounding_mode="floor") * (wide - width) + first * wide


class TogetherAccumulator(Halving[list[Sums]]):
    """Adds up the gradients of all seeds.

    Args:
        models: one of each seed, on the context's device, in training mode.
        table: their weights.
        context: precision and device; one process.
        token_budget: rows times width of one part, all seeds together.
        dropout: one stream for all: every row has masks of its own.
        log: told when memory ran out.
    """

    def __init__(
        self,
        models: Sequence[TransferModel],
        table: SeedTable,
        context: DeviceContext,
        *,
        token_budget: int,
        dropout: DropoutStream,
        log: Callable[[Mapping[str, Any]], None],
    ) -> None:
        super().__init__(context, token_budget=token_budget, dropout=dropout, log=log, least=len(models))
        self._models, self._table = models, table
        self._together = Together(models, table.leaves)

    def _parts(self, task: TrainTask, features: Sequence[Feature]) -> list[Sequence[Feature]]:
        """The same number of features of every seed in a part, in the order of the seeds."""
        batch_size = len(features) // len(self._models)
        batches = [features[begin : begin + batch_size] for begin in range(0, len(features), batch_size)]
        if task.format.whole_batch or self._fits(features):
            return [features]
        ordered = [sorted(batch, key=lambda feature: feature.length) for batch in batches]
        for count in range(2, batch_size + 1):
            bounds = [batch_size * number // count for number in range(count + 1)]
            parts = [[feature for batch in ordered for feature in batch[begin:end]] for begin, end in pairwise(bounds)]
            if all(map(self._fits, parts)):
                break
        else:
            parts = [list(each) for each in zip(*ordered, strict=True)]
        return list(parts)

    def _fits(self, features: Sequence[Feature]) -> bool:
        longest = max(feature.length for feature in features)
        return longest * sum(feature.rows for feature in features) <= self.token_budget

    def _sums(self, task: TrainTask, parts: Sequence[Sequence[Feature]]) -> list[Sums]:
        sums: list[Sums] = []
        for features in parts:
            latest = self._part(task, features)
            sums = [_added(*pair) for pair in zip(sums, latest, strict=True)] if sums else latest
        return sums

    def _part(self, task: TrainTask, features: Sequence[Feature]) -> list[Sums]:
        batch_size = len(features) // len(self._models)
        batches = [
            task.format.collate(features[begin : begin + batch_size], pad_id=task.pad_id)
            for begin in range(0, len(features), batch_size)
        ]
        joint = join(batches, pad_id=task.pad_id)
        tokens = [int(batch.attention_mask.sum()) for batch in batches]  # before an context has them
        width, device = joint.input_ids.shape[1], self._context.device
        reads = joint.reads
        if not self._on_cpu:
            batches = [batch.to(device) for batch in batches]
            reads = None if reads is None else reads.to(device)
        with self._context.autocast():
            hidden = self._together.forward(
                joint.input_ids.to(device),
                joint.attention_mask.to(device),
                reads,
                rows=cut([rows * width for rows in joint.rows], device),
                read=cut(joint.read, device) if reads is not None else None,
            )
            losses = []
            for model, batch, states in zip(self._models, batches, torch.split(hidden, list(joint.rows)), strict=True):
                outputs = model.head(task.name)(states[:, : batch.input_ids.shape[1]], batch)
                losses.append(task.format.loss(outputs, batch))
            everything = torch.stack([loss.total for loss in losses])
        everything.sum().backward()
        totals = everything.detach().unbind()
        return [
            Sums(total, loss.units, count, rows * width)
            for total, loss, count, rows in zip(totals, losses, tokens, joint.rows, strict=True)
        ]

    def _forget_gradients(self) -> None:
        self._table.clear()


def _added(first: Sums, other: Sums) -> Sums:
    return Sums(
        first.total + other.total,
        first.units + other.units,
        first.tokens + other.tokens,
        first.padded_tokens + other.padded_tokens,
    )
