"""Which weights of a training count: the last, those with the best English dev score, or the mean of the last few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.data.gold import gold_text
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.metrics import count_predictions, get_metric
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel

BY_SCORE = ("dev", "oracle")
"""Selections that keep the weights of the best score: on English, or, as a diagnostic, on the target languages."""

EVALUATIONS = 4
"""Moments at which a training with dev selection is evaluated: after every quarter of its steps."""


def evaluation_steps(steps: int, every: int = 0) -> frozenset[int]:
    """1-based steps after which to evaluate, at every so many or, for 0, after every quarter; always after the last."""
    if every:
        return frozenset((*range(every, steps, every), steps))
    return frozenset(max(1, round(steps * index / EVALUATIONS)) for index in range(1, EVALUATIONS + 1))


MEAN_GRID = 10
"""The moments of ``selection: mean`` are the last of this many, evenly over the steps."""


def mean_steps(steps: int, count: int) -> frozenset[int]:
    """1-based steps after which the weights go into the mean: the last ``count`` of `MEAN_GRID`, at most one a step."""
    return frozenset(max(1, round(steps * index / MEAN_GRID)) for index in range(MEAN_GRID - count + 1, MEAN_GRID + 1))


def dev_score(model: TransferModel, task: TrainTask) -> float:
    """Score of the task's metric on its dev data, in points: English, or for the oracle the target languages.

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
    if not task.dev_by_language:
        return float(metric.score(counts.sum(axis=0)))
    spoken = np.asarray(languages)
    return fmean(float(metric.score(counts[spoken == code].sum(axis=0))) for code in dict.fromkeys(languages))


class KeptWeights(Protocol):
    """Weights that are remembered during training and put in place at its end."""

    @property
    def step(self) -> int:
        """Step the weights are from; of several, the last."""

    def restore(self) -> None:
        """Put them in place."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values from which `restore_state` goes on."""

    def restore_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""


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

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values from which `restore_state` goes on."""
        return dict(self._weights), {"score": self.score if self.step else None, "step": self.step}

    def restore_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""
        self._weights = {name: tensor.to(device, copy=True) for name, tensor in tensors.items()}
        self.score = float("-inf") if facts["score"] is None else float(facts["score"])
        self.step = int(facts["step"])


def stops_early(history: Sequence[Mapping[str, Any]], best_step: int, patience: int) -> bool:
    """Whether as many scores in a row as ``patience`` brought nothing better.

    Args:
        history: lines of the log, those with ``dev`` among them; a resumed training has the earlier ones too.
        best_step: after which the best score was reached.
    """
    return sum(1 for line in history if "dev" in line and line["step"] > best_step) >= patience


class Trains(Protocol):
    """A model, or whatever else has weights that train."""

    def trainable(self) -> dict[str, nn.Parameter]:
        """They, by name."""


class MeanWeights:
    """Adds up the trainable weights of several moments; their mean takes the place of the last ones.

    Sums are kept in float64, so the mean is that of the weights and not of their rounding.

    Attributes:
        step: the last moment so far; 0 before the first.
    """

    def __init__(self, model: Trains) -> None:
        self._model = model
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self.step = 0

    def add(self, step: int) -> None:
        """Take the present weights into the mean."""
        now = {name: p.detach().double() for name, p in self._model.trainable().items()}
        self._sums = {name: self._sums[name] + tensor for name, tensor in now.items()} if self._count else now
        self._count += 1
        self.step = step

    def restore(self) -> None:
        """Put the mean in place."""
        with torch.no_grad():
            for name, parameter in self._model.trainable().items():
                parameter.copy_(self._sums[name] / self._count)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values from which `restore_state` goes on."""
        return dict(self._sums), {"count": self._count, "step": self.step}

    def restore_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""
        self._sums = {name: tensor.to(device, copy=True) for name, tensor in tensors.items()}
        self._count, self.step = int(facts["count"]), int(facts["step"])
