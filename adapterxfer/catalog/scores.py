"""Names of the scores that a task of one's own may choose, by format, and those that installed packages add.

What they compute is in `adapterxfer.metrics`; a recipe is checked by their names, without that room.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from adapterxfer.errors import DataError

GROUP = "adapterxfer.metrics"
"""Entry points of installed packages: the name of a metric -> a `Metric` of that name."""

SCORES: dict[str, tuple[str, ...]] = {
    "sequence_classification": ("accuracy", "macro_f1", "weighted_f1", "mcc"),
    "tagging": ("span_f1", "token_accuracy"),
    "span_qa": ("qa_f1", "qa2_f1", "mlqa_f1"),
    "multiple_choice": ("accuracy",),
    "retrieval": ("retrieval_accuracy",),
}
"""Format -> its scores, the usual one first."""


def installed_names() -> tuple[str, ...]:
    """Names of the metrics that installed packages add; those of this package win over them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def installed(name: str) -> Any:
    """What a package adds under a name: a `Metric`, if the package keeps to the contract.

    Raises:
        DataError: no package adds one of this name, it cannot be loaded, or it is no metric.
    """
    points = list(entry_points(group=GROUP, name=name))
    if not points:
        known = dict.fromkeys((*(score for scores in SCORES.values() for score in scores), *installed_names()))
        raise DataError(f"metric '{name}' does not exist", fix=f"use one of: {', '.join(known)}")
    value = points[0].value
    try:
        metric = points[0].load()
    except Exception as error:  # a package of the user's may raise anything while it is imported
        raise DataError(
            f"metric '{name}': {value} cannot be loaded ({type(error).__name__}: {error})",
            fix="repair or uninstall the package that adds it",
        ) from None
    if getattr(metric, "name", None) != name or not all(
        hasattr(metric, attribute) for attribute in ("columns", "score", "count")
    ):
        raise DataError(
            f"metric '{name}': {value} is a {type(metric).__name__}, no Metric named '{name}'",
            fix=f"the entry point names an adapterxfer.metrics.Metric whose name is '{name}'",
        )
    return metric


def scores_of(form: str) -> tuple[str, ...]:
    """Names of the scores of a format: those of this package, then installed ones that do not say they are for others.

    An installed one that cannot be loaded is among them, so that it is its own error, not one of the name.
    """
    more = []
    for name in installed_names():
        try:
            formats = getattr(installed(name), "formats", ())
        except DataError:
            formats = ()
        if not formats or form in formats:
            more.append(name)
    return tuple(dict.fromkeys((*SCORES[form], *more)))
