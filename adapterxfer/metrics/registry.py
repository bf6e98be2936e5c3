"""Metrics by name: which counts each example gives, and how sums of counts become points.

A score never sees strings: it is a function of summed counts, so resampling examples means adding rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics import mlqa
from adapterxfer.metrics.answers import answer_counts, answerable_counts
from adapterxfer.metrics.chunks import chunk_counts
from adapterxfer.metrics.retrieval import mined_counts, ranked_counts
from adapterxfer.metrics.spans import span_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Score = Callable[[ArrayLike], NDArray[np.float64]]
    Count = Callable[[str, str], tuple[float, ...]]
    CountIn = Callable[[str, str, str], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One score.

    Attributes:
        name: its name in the catalogue.
        columns: count columns of a prediction file, in order.
        protocol: what exactly is computed; stored with every prediction file.
        score: sums of shape ``(..., columns)`` -> points of shape ``(...)``, from ``lowest`` to 100.
        count: prediction and gold text of one example -> its counts.
        count_in: the same with the language as third argument, where the score depends on it; ``count`` is then unused.
        float_columns: columns that are fractions; all others are integers.
        extra_scores: scores of secondary interest from the same counts, e.g. exact match.
        lowest: the lowest score in points; below 0 for a correlation.
        formats: formats of the tasks that an installed metric scores; empty for any.
    """

    name: str
    columns: tuple[str, ...]
    protocol: str
    score: Score
    count: Count
    float_columns: tuple[str, ...] = ()
    extra_scores: dict[str, Score] = field(default_factory=dict)
    count_in: CountIn | None = None
    lowest: float = 0.0
    formats: tuple[str, ...] = ()


def _ratio(top: Sequence[float], bottom: Sequence[float]) -> Score:
    """``100 * (sums . top) / (sums . bottom)``.

    Where the denominator is 0, a share of a total is NaN: an empty test set has no accuracy (the official scripts
    divide by zero). With several columns below the line it is an F1, which is 0 if there was nothing to find and
    nothing was found, as conlleval and seqeval print.
    """
    undefined = math.nan if sum(map(bool, bottom)) == 1 else 0.0
    above_weights, below_weights = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)

    def score(sums: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(sums, dtype=np.float64)
        above, below = values @ above_weights, values @ below_weights
        empty = below == 0
        result: NDArray[np.float64] = np.where(empty, undefined, 100.0 * above / np.where(empty, 1.0, below))
        return result

    return score


def _equal(prediction: str, gold: str) -> tuple[float, ...]:
    return float(prediction == gold), 1.0


def _tokens(prediction: str, gold: str) -> tuple[float, ...]:
    predicted, expected = prediction.split(" "), gold.split(" ")
    return float(sum(p == g for p, g in zip(predicted, expected, strict=True))), float(len(expected))


def _duplicates(prediction: str, gold: str) -> tuple[float, ...]:
    """Right, predicted and gold duplicates, then right answers and questions."""
    claimed, true = prediction == DUPLICATE, gold == DUPLICATE
    return float(claimed and true), float(claimed), float(true), float(prediction == gold), 1.0


DUPLICATE = "duplicate"
"""The positive class of QQP."""

_ROUNDING = 1e-6
"""Points by which a quotient of fractions may exceed its bounds in floating-point numbers."""

_SHARE = _ratio((1, 0), (0, 1))

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", columns=("correct", "total"), protocol="accuracy", score=_SHARE, count=_equal),
        Metric(
            name="token_accuracy",
            columns=("correct", "total"),
            protocol="token-accuracy/first-piece",
            score=_SHARE,
            count=_tokens,
        ),
        Metric(
            name="span_f1",
            columns=("tp", "predicted", "gold_spans"),
            protocol="spans/lenient-bio/micro-f1",
            score=_ratio((2, 0, 0), (0, 1, 1)),
            count=span_counts,
        ),
        Metric(
            name="qa_f1",
            columns=("f1", "em", "total"),
            protocol="qa/squad-v1.1/english-normaliser/max-over-answers",
            score=_ratio((1, 0, 0), (0, 0, 1)),
            count=answer_counts,
            float_columns=("f1",),
            extra_scores={"em": _ratio((0, 1, 0), (0, 0, 1))},
        ),
        Metric(
            name="retrieval_accuracy",
            columns=("correct", "total"),
            protocol="accuracy-at-1/to-english",
            score=_SHARE,
            count=_equal,
        ),
        Metric(
            name="chunk_f1",
            columns=("tp", "predicted", "gold_spans", "correct", "total"),
            protocol="udpos/seqeval-0.0.12",
            score=_ratio((2, 0, 0, 0, 0), (0, 1, 1, 0, 0)),
            count=chunk_counts,
            extra_scores={"token_accuracy": _ratio((0, 0, 0, 1, 0), (0, 0, 0, 0, 1))},
        ),
        Metric(
            name="duplicate_f1",
            columns=("tp", "predicted", "gold_spans", "correct", "total"),
            protocol="qqp/f1-of-duplicate",
            score=_ratio((2, 0, 0, 0, 0), (0, 1, 1, 0, 0)),
            count=_duplicates,
            extra_scores={"accuracy": _ratio((0, 0, 0, 1, 0), (0, 0, 0, 0, 1))},
        ),
        Metric(
            name="qa2_f1",
            columns=("f1", "em", "total"),
            protocol="qa/squad-v2.0/english-normaliser/empty-if-unanswerable",
            score=_ratio((1, 0, 0), (0, 0, 1)),
            count=answerable_counts,
            float_columns=("f1",),
            extra_scores={"em": _ratio((0, 1, 0), (0, 0, 1))},
        ),
        Metric(
            name="mlqa_f1",
            columns=("f1", "em", "total"),
            protocol="mlqa-v1/normaliser-of-the-language/max-over-answers",
            score=_ratio((1, 0, 0), (0, 0, 1)),
            count=answer_counts,
            float_columns=("f1",),
            extra_scores={"em": _ratio((0, 1, 0), (0, 0, 1))},
            count_in=mlqa.answer_counts,
        ),
        Metric(
            name="map_at_20",
            columns=("precision", "total"),
            protocol="map@20/divisor-min-gold-20",
            score=_SHARE,
            count=ranked_counts,
            float_columns=("precision",),
        ),
        Metric(
            name="mining_f1",
            columns=("tp", "predicted", "gold_spans"),
            protocol="bucc/ratio-margin-4/both-directions/threshold-from-dev",
            score=_ratio((2, 0, 0), (0, 1, 1)),
            count=mined_counts,
        ),
    )
}
"""Every metric by name. An empty set of examples has no accuracy: the score is NaN."""


def count_predictions(
    metric: Metric, predictions: Sequence[str], golds: Sequence[str], *, languages: Sequence[str] | None = None
) -> NDArray[Any]:
    """Counts of each example, shape ``(examples, columns)``, float64.

    Args:
        predictions: as stored in a prediction file.
        golds: as stored in a prediction file (`adapterxfer.data.gold.gold_text`).
        languages: language of each example, for metrics that depend on it; English where None.

    Raises:
        DataError: the lengths differ, a tag sequence has another length than its gold, or counts are impossible.
    """
    if len(predictions) != len(golds):
        raise DataError(f"{len(predictions)} predictions for {len(golds)} examples", fix="predict every example once")
    if metric.count_in is not None:
        spoken = languages or ["en"] * len(golds)
        rows = zip(predictions, golds, spoken, strict=True)
        counted = np.array([metric.count_in(*row) for row in rows], dtype=np.float64).reshape(-1, len(metric.columns))
        return check_counts(metric, counted, where="predictions")
    counts = np.zeros((len(golds), len(metric.columns)))
    for row, (prediction, gold) in enumerate(zip(predictions, golds, strict=True)):
        try:
            counts[row] = metric.count(prediction, gold)
        except ValueError as error:
            raise DataError(
                f"example {row}: prediction {prediction[:60]!r} cannot be compared with {gold[:60]!r} ({error})",
                fix="predict one tag per word",
            ) from None
    return check_counts(metric, counts, where="predictions")


def check_counts(metric: Metric, counts: NDArray[Any], *, where: str) -> NDArray[Any]:
    """The counts, after a look at whether they can be counts of this metric at all.

    Every score is a ratio of sums, and none can leave 0 to 100 unless one example's counts do: so each example is
    looked at, and whatever is added up from them later is a possible score.

    Args:
        counts: shape ``(examples, columns)``.
        where: file or kind of file, for the message.

    Raises:
        DataError: a count is negative or no finite number, or one example alone would score outside 0 to 100.
    """
    values = np.asarray(counts, dtype=np.float64)
    bad = np.asarray((~np.isfinite(values) | (values < 0)).any(axis=1))
    # One in every column scores exactly 100 where scores are ratios, and hides no zero denominator: the sum exceeds 100
    # where the row does. Of other scores nothing is known but the row itself.
    added = 1.0 if metric.name in METRICS else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a row by itself may have nothing below the line
        for score in (metric.score, *metric.extra_scores.values()):
            bad |= score(np.where(bad[:, None], 0.0, values) + added) > 100.0 + _ROUNDING
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        listed = ", ".join(f"{name} {value:g}" for name, value in zip(metric.columns, values[row], strict=True))
        raise DataError(
            f"{where}: row {row + 1}: {listed}: no counts of '{metric.name}', whose scores are within 0 and 100 "
            f"({int(bad.sum())} such rows)",
            fix="score these examples again: an example was counted more than once, or the file is damaged",
        )
    return counts
