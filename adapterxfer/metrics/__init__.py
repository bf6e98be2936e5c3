"""Official scores as functions of summed per-example counts; numpy only."""

from adapterxfer.metrics.contract import check_metric
from adapterxfer.metrics.lookup import DEFAULT_METRIC, get_metric, gold_columns, is_metric, read_metric
from adapterxfer.metrics.registry import METRICS, Metric, check_counts, count_predictions

__all__ = [
    "DEFAULT_METRIC",
    "METRICS",
    "Metric",
    "check_counts",
    "check_metric",
    "count_predictions",
    "get_metric",
    "gold_columns",
    "is_metric",
    "read_metric",
]
