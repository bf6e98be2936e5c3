"""What every control takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adapterxfer.data.examples import Example
from adapterxfer.data.gold import gold_text
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import DataError
from adapterxfer.metrics import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE_LANGUAGE = "en"
"""The only language with training data in a zero-shot study."""


@dataclass(frozen=True, slots=True)
class ControlInput:
    """What a control may look at.

    Attributes:
        task: the stored task, with its English training examples.
        examples: test examples of all languages.
        metric: how predictions are counted.
        rng: the only source of chance.
    """

    task: StoredTask
    examples: Sequence[Example]
    metric: Metric
    rng: np.random.Generator

    def training(self, control: str) -> list[Example]:
        """The English training examples.

        Raises:
            DataError: the task has none.
        """
        if SOURCE_LANGUAGE not in self.task.languages("train"):
            raise DataError(
                f"control '{control}': task '{self.task.task}' has no English training examples",
                fix="leave this control out for the task",
            )
        return self.task.split("train", SOURCE_LANGUAGE)


@dataclass(frozen=True, slots=True)
class ControlResult:
    """Predictions of a control.

    Attributes:
        predictions: one per example; where the control draws at random, one of the draws.
        counts: expected counts over the draws, shape ``(examples, columns)``; None where nothing is drawn.
    """

    predictions: list[str]
    counts: NDArray[np.float64] | None = None


def expected(data: ControlInput, candidates: Sequence[Sequence[str]]) -> ControlResult:
    """Expected counts of a uniform draw from the candidates of each example.

    The expectation replaces a single draw, so the control adds no noise of its own to a comparison.

    Args:
        candidates: possible predictions of each example; without any, the prediction is empty.
    """
    counts = np.zeros((len(data.examples), len(data.metric.columns)))
    predictions = []
    for row, (example, options) in enumerate(zip(data.examples, candidates, strict=True)):
        gold = gold_text(example)
        known: dict[str, tuple[float, ...]] = {}
        for option in options or ("",):
            if option not in known:
                known[option] = data.metric.count(option, gold)
            counts[row] += known[option]
        counts[row] /= max(len(options), 1)
        predictions.append(options[int(data.rng.integers(len(options)))] if options else "")
    return ControlResult(predictions, counts)
