"""What a metric of one's own has to keep to, as a check that its package runs in its tests.

from adapterxfer.metrics import check_metric

def test_my_metric():
    check_metric("my_metric", [("good", "good"), ("bad", "good"), ("bad", "bad")])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics.lookup import get_metric
from adapterxfer.metrics.registry import Metric, check_counts

_CLOSE = 1e-9
"""Points by which two computations of one score may differ in floating-point numbers."""


def check_metric(metric: Metric | str, answers: Sequence[tuple[str, str]]) -> Metric:
    """Check that a metric can be counted by example, added up and resampled; returns it.

    Args:
        metric: the metric, or its name: then it is looked up as a run looks it up, so that the entry point is checked.
        answers: predictions and gold texts, several of them and not all right, as a prediction file holds them.

    Raises:
        DataError: it breaks the contract; says how.
    """
    if isinstance(metric, str):
        metric = get_metric(metric, format_name="sequence_classification")
    subject = f"metric '{metric.name}'"
    if len(answers) < 2:
        raise DataError(f"{subject}: {len(answers)} answers to check it with", fix="give several answers")
    if len(set(metric.columns)) != len(metric.columns) or not metric.columns:
        raise DataError(f"{subject}: columns {', '.join(metric.columns)}", fix="give each column a name of its own")
    if not metric.protocol:
        raise DataError(f"{subject}: no protocol", fix="say in a few words joined by / what exactly is computed")
    predictions, golds = [p for p, _ in answers], [g for _, g in answers]
    counts = _counted(metric, predictions, golds, subject)
    if not np.array_equal(counts, _counted(metric, predictions, golds, subject)):
        raise DataError(f"{subject}: two counts of one example differ", fix="count without chance or memory")
    fractions = [name for name in metric.columns if name not in metric.float_columns]
    for number, name in enumerate(metric.columns):
        if name in fractions and (counts[:, number] != np.round(counts[:, number])).any():
            raise DataError(f"{subject}: '{name}' holds fractions", fix=f"float_columns=('{name}',)")
    _check_score(metric, counts, subject)
    return metric


def _counted(metric: Metric, predictions: Sequence[str], golds: Sequence[str], subject: str) -> np.ndarray:
    counts = np.zeros((len(golds), len(metric.columns)))
    for number, (prediction, gold) in enumerate(zip(predictions, golds, strict=True)):
        row = metric.count(prediction, gold) if metric.count_in is None else metric.count_in(prediction, gold, "en")
        if np.shape(row) != (len(metric.columns),):
            raise DataError(
                f"{subject}: count gives {row!r:.60}, no row of {len(metric.columns)} numbers",
                fix=f"return one number for each of {', '.join(metric.columns)}",
            )
        counts[number] = row
    return counts


def _check_score(metric: Metric, counts: np.ndarray, subject: str) -> None:
    # Weights of a resampling: some examples twice, some not at all.
    weights = np.stack([np.ones(len(counts)), np.arange(len(counts)) % 3, np.arange(len(counts)) % 2])
    sums = weights @ counts
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.asarray(metric.score(sums), dtype=np.float64)
            one_by_one = np.array([float(metric.score(row)) for row in sums])
            scaled = np.asarray(metric.score(3.0 * sums), dtype=np.float64)
            metric.score(np.zeros(len(metric.columns)))
    except Exception as error:  # whatever a user's function raises breaks the contract
        raise DataError(
            f"{subject}: score cannot be computed from sums of shape (..., {len(metric.columns)}) "
            f"({type(error).__name__}: {error})",
            fix="compute along the last axis with numpy; give NaN where there are no examples",
        ) from None
    if scores.shape != (len(sums),) or not np.allclose(scores, one_by_one, atol=_CLOSE, equal_nan=True):
        raise DataError(
            f"{subject}: rows of sums get other scores together than alone",
            fix="compute along the last axis, `[..., 0]`",
        )
    if not np.allclose(scores, scaled, atol=_CLOSE, equal_nan=True):
        raise DataError(
            f"{subject}: three times every count gives another score",
            fix="compute a share of sums: resampling weights examples, so their number must not matter",
        )
    check_counts(metric, counts, where=subject)
    if not np.isfinite(scores[0]):
        raise DataError(f"{subject}: all examples together score {scores[0]}", fix="give a finite number")
    if (scores[np.isfinite(scores)] < metric.lowest - _CLOSE).any():
        raise DataError(f"{subject}: a score is below {metric.lowest:g}", fix="give points, and `lowest` where below 0")
