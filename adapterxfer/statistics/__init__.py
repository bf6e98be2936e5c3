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
from adapterxfer.statistics.families import Member, Reading, adjust_family, adjust_tests, fewest_df
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
from adapterxfer.statistics.margins import Equivalence, Outcome, Verdict, decide, equivalence, verdict
from adapterxfer.statistics.metric import SumScore, ratio_metric
from adapterxfer.statistics.moderation import Lenders, lenders, moderate
from adapterxfer.statistics.multiplicity import adjust, max_t, simultaneous_distances, step_down, with_adjusted
from adapterxfer.statistics.power import (
    minimum_detectable_effect,
    paired_standard_error,
    power_mcnemar,
    power_paired,
)
from adapterxfer.statistics.ranks import RankInterval, best_set, rank_intervals
from adapterxfer.statistics.replicability import (
    Improvement,
    PartialConjunction,
    partial_conjunction,
    probability_of_improvement,
)
from adapterxfer.statistics.replicates import Replicates, resample
from adapterxfer.statistics.rungs import Rung, Shared, ladder, rungs, shared_error
from adapterxfer.statistics.stochastic_order import StochasticOrder, almost_stochastic_order
from adapterxfer.statistics.table import Cell, CellCounts, ScoreTable, System
from adapterxfer.statistics.thresholds import ENOUGH_RUNS, FEW_CLUSTERS, FEWEST_CLUSTERS, significant
from adapterxfer.statistics.variance import Components
from adapterxfer.statistics.vocabulary import FLAG_TEXT

__all__ = [
    "ENOUGH_RUNS",
    "FEWEST_CLUSTERS",
    "FEW_CLUSTERS",
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
    "Lenders",
    "Member",
    "Outcome",
    "PairedCounts",
    "PartialConjunction",
    "RankInterval",
    "Reading",
    "Replicates",
    "ResamplingLaw",
    "RetainedShare",
    "Rung",
    "ScaleAgreement",
    "ScoreTable",
    "Shared",
    "StochasticOrder",
    "SumScore",
    "System",
    "Verdict",
    "adjust",
    "adjust_family",
    "adjust_tests",
    "agresti_min_interval",
    "almost_stochastic_order",
    "bca_interval",
    "best_set",
    "bootstrap_t_interval",
    "build_table",
    "cohen_h",
    "decide",
    "did",
    "difference",
    "equivalence",
    "estimates",
    "exact_resampling",
    "exact_sign_flip",
    "fewest_df",
    "gain",
    "lack_of_fit",
    "ladder",
    "lenders",
    "linear",
    "macro",
    "max_t",
    "mcnemar",
    "method_by_size",
    "minimum_detectable_effect",
    "moderate",
    "odds_ratio",
    "on_scales",
    "paired_counts",
    "paired_standard_error",
    "partial_conjunction",
    "percentile_p",
    "power_mcnemar",
    "power_paired",
    "probability_of_improvement",
    "randomization_test",
    "rank_intervals",
    "ratio_metric",
    "regression",
    "relative_error_reduction",
    "resample",
    "retained_share",
    "rungs",
    "scale_agreement",
    "score",
    "shared_error",
    "shift_p",
    "significant",
    "simultaneous_distances",
    "slope",
    "slope_weights",
    "step_down",
    "t_interval",
    "t_p",
    "verdict",
    "with_adjusted",
]
