"""The English dev score during training, and the weights that were best by it."""

from __future__ import annotations

import torch
from torch import Tensor

from adapterxfer.data.gold import gold_text
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.metrics import count_predictions, get_metric
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel

EVALUATIONS = 4
"""Moments at which a training with dev selection is evaluated: after every quarter of its steps."""


def evaluation_steps(steps: int) -> frozenset[int]:
    """1-based steps after which to evaluate; the last step is always one."""
    return frozenset(max(1, round(steps * part / EVALUATIONS)) for part in range(1, EVALUATIONS + 1))


def dev_score(model: TransferModel, task: TrainTask) -> float:
    """Score of the task's metric on its English dev data, in points.

    Args:
        model: evaluated as it is now; its mode is restored.
        task: with dev data.
    """
    assert task.dev is not None
    before = model.training
    model.eval()
    predictions = predict_encoded(model, model.head(task.name), task.format, task.dev, task.labels, device=model.device)
    model.train(before)
    metric = get_metric(task.metric, format_name=task.format.name, labels=task.labels)
    golds = [gold_text(example) for example in task.dev.examples]
    languages = [example.language for example in task.dev.examples]
    counts = count_predictions(metric, predictions, golds, languages=languages)
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
