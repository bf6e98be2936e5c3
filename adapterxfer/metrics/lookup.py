"""A metric by its name: one of the table, a score over the classes of a task, or one that an installed package adds."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.catalog.scores import installed, installed_names
from adapterxfer.errors import DataError
from adapterxfer.metrics.classes import CLASS_SCORES, KINDS, accuracy, class_columns, class_counts
from adapterxfer.metrics.registry import METRICS, Metric

DEFAULT_METRIC: dict[str, str] = {
    "sequence_classification": "accuracy",
    "tagging": "span_f1",
    "span_qa": "qa_f1",
    "multiple_choice": "accuracy",
    "retrieval": "retrieval_accuracy",
}
"""Metric of a format where the catalogue names none. Tags without ``B-`` are scored by `token_accuracy` instead."""


def get_metric(name: str | None, *, format_name: str, labels: Sequence[str] = ()) -> Metric:
    """The named metric, or the default of the format.

    Args:
        name: name in `METRICS`, of a score over classes, or of an installed metric; or None.
        labels: decide between spans and tokens where ``name`` is None, and are the classes of a score over classes.

    Raises:
        DataError: there is no such metric.
    """
    if name is None:
        name = DEFAULT_METRIC[format_name]
        if name == "span_f1" and not any(label.startswith("B-") for label in labels):
            name = "token_accuracy"
    if name in CLASS_SCORES:
        return _of_classes(name, len(labels), labels)
    return METRICS[name] if name in METRICS else _installed(name)


def read_metric(name: str, columns: Sequence[str]) -> Metric:
    """The metric that scores a file of counts.

    A score over classes counts nothing here: the columns say how many classes there are, not what they are called.

    Args:
        name: as the file names it.
        columns: the count columns of the file.

    Raises:
        DataError: this machine knows no metric of the name.
    """
    if name in CLASS_SCORES:
        return _of_classes(name, max(1, len(columns) // len(KINDS)))
    return METRICS[name] if name in METRICS else _installed(name)


def is_metric(name: str) -> bool:
    """Whether this machine knows a metric of the name."""
    return name in METRICS or name in CLASS_SCORES or name in installed_names()


def gold_columns(metric: Metric) -> tuple[int, ...]:
    """Positions of the columns that depend on the gold data only, so that they agree between systems."""
    return tuple(
        number
        for number, name in enumerate(metric.columns)
        if name in ("total", "gold_spans") or (metric.name in CLASS_SCORES and name.startswith("gold_"))
    )


def _of_classes(name: str, classes: int, labels: Sequence[str] = ()) -> Metric:
    score, protocol = CLASS_SCORES[name]
    return Metric(
        name=name,
        columns=class_columns(classes),
        protocol=protocol,
        score=score,
        count=class_counts(labels),
        extra_scores={"accuracy": accuracy},
        lowest=-100.0 if name == "mcc" else 0.0,
    )


def _installed(name: str) -> Metric:
    metric = installed(name)
    if not isinstance(metric, Metric):
        raise DataError(
            f"metric '{name}': the installed package gives a {type(metric).__name__}",
            fix="the entry point names an adapterxfer.metrics.Metric",
        )
    return metric
