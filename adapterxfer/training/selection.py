"""The English dev score during training, and the weights that were best by it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from adapterxfer.data.gold import gold_text
from adapterxfer.metrics import count_predictions, get_metric
from adapterxfer.training.batches import micro_batches
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel

EVALUATIONS = 4
"""Moments at which a training with dev selection is evaluated: after every quarter of its steps."""


def evaluation_steps(steps: int) -> frozenset[int]:
    """1-based steps after which to evaluate; the last step is always one."""
    return frozenset(max(1, round(steps * part / EVALUATIONS)) for part in range(1, EVALUATIONS + 1))


def dev_score(model: TransferModel, task: TrainTask, *, token_budget: int) -> float:
    """Score of the task's metric on its English dev data, in points.

    Args:
        model: evaluated as it is now; its mode is restored.
        task: with dev data.
        token_budget: rows times width of one forward pass.
    """
    assert task.dev is not None
    head, fmt, features = model.head(task.name), task.format, task.dev.features
    before = model.training
    model.eval()
    # Sorted by length: neighbours in a batch need little padding.
    order = sorted(range(len(features)), key=lambda index: features[index].length)
    results: list[Any] = [None] * len(features)
    position = 0
    with torch.inference_mode():
        for part in micro_batches([features[index] for index in order], token_budget=token_budget):
            batch = fmt.collate(part, pad_id=task.pad_id).to(model.device)
            outputs = head(model(batch.input_ids, batch.attention_mask), batch)
            for result in fmt.results(outputs, batch):
                results[order[position]] = result
                position += 1
    model.train(before)
    predictions = fmt.decode(results, features, task.dev.examples, task.labels)
    metric = get_metric(task.metric, format_name=fmt.name, labels=task.labels)
    counts = count_predictions(metric, predictions, [gold_text(example) for example in task.dev.examples])
    return float(metric.score(counts.sum(axis=0)))


class BestWeights:
    """Keeps the trainable weights of the best dev score; of equal scores the earlier one.

    Attributes:
        score: best score so far, in points.
        step: after which it was reached; 0 before the first.
    """

    def __init__(self, model: TransferModel) -> None:
        self._model = model
        self._weights: dict[str, Tensor] = {}
        self.score = float("-inf")
        self.step = 0

    def offer(self, score: float, step: int) -> None:
        """Remember the present weights if ``score`` is better than all before."""
        if score > self.score:
            self.score, self.step = score, step
            self._weights = {name: p.detach().clone() for name, p in self._model.trainable().items()}

    def restore(self) -> None:
        """Put the best weights back."""
        with torch.no_grad():
            for name, parameter in self._model.trainable().items():
                parameter.copy_(self._weights[name])
