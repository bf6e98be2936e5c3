"""Resampling statistics of the study: counts, clusters, weights, one matrix product, metric, contrasts.

Receives counts, cluster ids and a metric as a function of sums; returns frozen dataclasses. Knows no task, store or
file. See docs/statistics.md.
"""

from adapterxfer.statistics.accelerated import bca_interval, bootstrap_t_interval
from adapterxfer.statistics.collect import build_table
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
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.exact import (
    ExactTest,
    PairedCounts,
    agresti_min_interval,
    exact_sign_flip,
    mcnemar,
    paired_counts,
    randomization_test,
)
from adapterxfer.statistics.families import adjust_family
from adapterxfer.statistics.intervals import t_interval, t_p
from adapterxfer.statistics.margins import Equivalence, Verdict, equivalence, verdict
from adapterxfer.statistics.metric import Metric, ratio_metric
from adapterxfer.statistics.multiplicity import adjust, simultaneous_distances, step_down, with_adjusted
from adapterxfer.statistics.power import (
    minimum_detectable_effect,
    paired_standard_error,
    power_mcnemar,
    power_paired,
)
from adapterxfer.statistics.ranks import RankInterval, rank_intervals
from adapterxfer.statistics.replicability import (
    Improvement,
    PartialConjunction,
    partial_conjunction,
    probability_of_improvement,
)
from adapterxfer.statistics.rungs import Rung, ladder, rungs
from adapterxfer.statistics.table import Cell, CellCounts, ScoreTable, System
from adapterxfer.statistics.variance import Components
from adapterxfer.statistics.vocabulary import FLAG_TEXT

__all__ = [
    "FLAG_TEXT",
    "Cell",
    "CellCounts",
    "Components",
    "Contrast",
    "Equivalence",
    "Estimate",
    "ExactTest",
    "Improvement",
    "Metric",
    "PairedCounts",
    "PartialConjunction",
    "RankInterval",
    "Replicates",
    "Rung",
    "ScoreTable",
    "System",
    "Verdict",
    "adjust",
    "adjust_family",
    "agresti_min_interval",
    "bca_interval",
    "bootstrap_t_interval",
    "build_table",
    "did",
    "difference",
    "equivalence",
    "estimates",
    "exact_sign_flip",
    "gain",
    "ladder",
    "linear",
    "macro",
    "mcnemar",
    "minimum_detectable_effect",
    "paired_counts",
    "paired_standard_error",
    "partial_conjunction",
    "power_mcnemar",
    "power_paired",
    "probability_of_improvement",
    "randomization_test",
    "rank_intervals",
    "ratio_metric",
    "resample",
    "rungs",
    "score",
    "simultaneous_distances",
    "slope",
    "slope_weights",
    "step_down",
    "t_interval",
    "t_p",
    "verdict",
    "with_adjusted",
]
