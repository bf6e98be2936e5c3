"""Scores of classification that need a column for each class: mean F1 over classes, and Matthews' correlation.

The counts of one example are three for each class: right, predicted and gold. Their sums hold all that these scores
need, so examples are resampled by adding rows, as for any other score. Definitions are those of scikit-learn 1.5,
`sklearn.metrics.f1_score` and `matthews_corrcoef` (for several classes: Gorodkin 2004), which the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Score = Callable[[ArrayLike], NDArray[np.float64]]
    Sums = NDArray[np.float64]

KINDS = ("tp", "predicted", "gold")
"""What is counted of each class; in this order, each for all classes."""


def class_columns(classes: int) -> tuple[str, ...]:
    """Names of the count columns of so many classes."""
    return tuple(f"{kind}_{number}" for kind in KINDS for number in range(classes))


def class_counts(labels: Sequence[str]) -> Callable[[str, str], tuple[float, ...]]:
    """The function that counts one example.

    Args:
        labels: names of the classes, in the order of the columns.
    """
    position = {label: number for number, label in enumerate(labels)}

    def count(prediction: str, gold: str) -> tuple[float, ...]:
        row = [0.0] * (len(KINDS) * len(position))
        for text in (prediction, gold):
            if text not in position:
                raise ValueError(f"{text!r} is not one of: {', '.join(position)}")
        row[position[prediction]] = float(prediction == gold)
        row[len(position) + position[prediction]] = 1.0
        row[2 * len(position) + position[gold]] = 1.0
        return tuple(row)

    return count


def _split(sums: Any) -> tuple[Sums, Sums, Sums]:
    values = np.asarray(sums, dtype=np.float64)
    classes = values.shape[-1] // len(KINDS)
    return values[..., :classes], values[..., classes : 2 * classes], values[..., 2 * classes :]


def _f1_of_classes(sums: Any) -> tuple[Sums, Sums, Sums]:
    """F1 of each class, whether it occurs at all, and its gold examples."""
    right, predicted, gold = _split(sums)
    below = predicted + gold
    present = below > 0
    return np.where(present, 2 * right / np.where(present, below, 1.0), 0.0), present.astype(np.float64), gold


def macro_f1(sums: ArrayLike) -> NDArray[np.float64]:
    """Mean F1 over the classes that occur in the gold labels or the predictions; NaN without examples."""
    f1, present, _ = _f1_of_classes(sums)
    return _mean(f1, present)


def weighted_f1(sums: ArrayLike) -> NDArray[np.float64]:
    """Mean F1 over classes, weighted by their gold examples; NaN without examples."""
    f1, _, gold = _f1_of_classes(sums)
    return _mean(f1, gold)


def accuracy(sums: ArrayLike) -> NDArray[np.float64]:
    """Share of right answers; NaN without examples."""
    right, _, gold = _split(sums)
    return _share(right.sum(axis=-1), gold.sum(axis=-1))


def matthews(sums: ArrayLike) -> NDArray[np.float64]:
    """Matthews' correlation of gold and predicted classes times 100, from -100 to 100; 0 where either has one class."""
    right, predicted, gold = _split(sums)
    total = gold.sum(axis=-1)
    covariance = right.sum(axis=-1) * total - (predicted * gold).sum(axis=-1)
    spreads = [total**2 - (counts**2).sum(axis=-1) for counts in (predicted, gold)]
    below = np.sqrt(np.maximum(spreads[0], 0.0)) * np.sqrt(np.maximum(spreads[1], 0.0))
    points = np.where(below > 0, 100.0 * covariance / np.where(below > 0, below, 1.0), 0.0)
    points = np.clip(points, -100.0, 100.0)  # which rounding may leave
    return np.where(total > 0, points, np.nan)


def _mean(values: Sums, weights: Sums) -> Sums:
    return _share((values * weights).sum(axis=-1), weights.sum(axis=-1))


def _share(above: Sums, below: Sums) -> Sums:
    defined = below > 0
    return np.where(defined, 100.0 * above / np.where(defined, below, 1.0), np.nan)


CLASS_SCORES: dict[str, tuple[Score, str]] = {
    "macro_f1": (macro_f1, "classes/macro-f1-of-classes-that-occur"),
    "weighted_f1": (weighted_f1, "classes/f1-weighted-by-gold"),
    "mcc": (matthews, "classes/matthews-correlation-times-100"),
}
"""Name of a score -> its function of sums, and its protocol."""
