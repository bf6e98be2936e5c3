"""Resampling statistics of the study: counts, clusters, weights, one matrix product, metric, contrasts.

Receives counts, cluster ids and a metric as a function of sums; returns frozen dataclasses. Knows no task, store or
file. See docs/statistics.md.
"""

from adapterxfer.statistics.contrasts import (
    Contrast,
    did,
    difference,
    gain,
    linear,
    macro,
    score,
    slope,
    slope_weights,
)
from adapterxfer.statistics.engine import Replicates, resample
from adapterxfer.statistics.estimates import Estimate, estimates
from adapterxfer.statistics.metric import Metric, ratio_metric
from adapterxfer.statistics.multiplicity import adjust, simultaneous_distances, step_down, with_adjusted
from adapterxfer.statistics.table import Cell, CellCounts, ScoreTable, System, build_table
from adapterxfer.statistics.variance import Components
from adapterxfer.statistics.vocabulary import FLAG_TEXT

__all__ = [
    "FLAG_TEXT",
    "Cell",
    "CellCounts",
    "Components",
    "Contrast",
    "Estimate",
    "Metric",
    "Replicates",
    "ScoreTable",
    "System",
    "adjust",
    "build_table",
    "did",
    "difference",
    "estimates",
    "gain",
    "linear",
    "macro",
    "ratio_metric",
    "resample",
    "score",
    "simultaneous_distances",
    "slope",
    "slope_weights",
    "step_down",
    "with_adjusted",
]
