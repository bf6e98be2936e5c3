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
    regression,
    score,
    slope,
    slope_weights,
)
from adapterxfer.statistics.effects import RetainedShare, cohen_h, odds_ratio, retained_share
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.exact import (
    ExactTest,
    PairedCounts,
    ResamplingLaw,
    agresti_min_interval,
    exact_resampling,
    exact_sign_flip,
    mcnemar,
    paired_counts,
    randomization_test,
)
from adapterxfer.statistics.families import adjust_family
from adapterxfer.statistics.interactions import (
    LackOfFit,
    ScaleAgreement,
    lack_of_fit,
    method_by_size,
    on_scales,
    relative_error_reduction,
    scale_agreement,
)
from adapterxfer.statistics.intervals import percentile_p, shift_p, t_interval, t_p
from adapterxfer.statistics.margins import Equivalence, Verdict, equivalence, verdict
from adapterxfer.statistics.metric import Metric, ratio_metric
from adapterxfer.statistics.multiplicity import adjust, max_t, simultaneous_distances, step_down, with_adjusted
from adapterxfer.statistics.power import (
    minimum_detectable_effect,
    paired_standard_error,
    power_mcnemar,
    power_paired,
    undecidable,
)
from adapterxfer.statistics.ranks import RankInterval, best_set, rank_intervals
from adapterxfer.statistics.replicability import (
    Improvement,
    PartialConjunction,
    partial_conjunction,
    probability_of_improvement,
)
from adapterxfer.statistics.replicates import Replicates, resample, resample_runs
from adapterxfer.statistics.rungs import Rung, Shared, ladder, rungs, shared_error
from adapterxfer.statistics.runs import PooledRuns, pooled_runs, two_way_interval
from adapterxfer.statistics.stochastic_order import StochasticOrder, almost_stochastic_order
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
    "LackOfFit",
    "Metric",
    "PairedCounts",
    "PartialConjunction",
    "PooledRuns",
    "RankInterval",
    "Replicates",
    "ResamplingLaw",
    "RetainedShare",
    "Rung",
    "ScaleAgreement",
    "ScoreTable",
    "Shared",
    "StochasticOrder",
    "System",
    "Verdict",
    "adjust",
    "adjust_family",
    "agresti_min_interval",
    "almost_stochastic_order",
    "bca_interval",
    "best_set",
    "bootstrap_t_interval",
    "build_table",
    "cohen_h",
    "did",
    "difference",
    "equivalence",
    "estimates",
    "exact_resampling",
    "exact_sign_flip",
    "gain",
    "lack_of_fit",
    "ladder",
    "linear",
    "macro",
    "max_t",
    "mcnemar",
    "method_by_size",
    "minimum_detectable_effect",
    "odds_ratio",
    "on_scales",
    "paired_counts",
    "paired_standard_error",
    "partial_conjunction",
    "percentile_p",
    "pooled_runs",
    "power_mcnemar",
    "power_paired",
    "probability_of_improvement",
    "randomization_test",
    "rank_intervals",
    "ratio_metric",
    "regression",
    "relative_error_reduction",
    "resample",
    "resample_runs",
    "retained_share",
    "rungs",
    "scale_agreement",
    "score",
    "shared_error",
    "shift_p",
    "simultaneous_distances",
    "slope",
    "slope_weights",
    "step_down",
    "t_interval",
    "t_p",
    "two_way_interval",
    "undecidable",
    "verdict",
    "with_adjusted",
]
