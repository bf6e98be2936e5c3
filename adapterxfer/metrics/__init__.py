"""Official scores as functions of summed per-example counts; numpy only."""

from adapterxfer.metrics.registry import DEFAULT_METRIC, METRICS, Metric, check_counts, count_predictions, get_metric

__all__ = ["DEFAULT_METRIC", "METRICS", "Metric", "check_counts", "count_predictions", "get_metric"]
