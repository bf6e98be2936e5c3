"""Resampling statistics of the study: counts, clusters, weights, one matrix product, metric, contrasts.

Receives counts, cluster ids and a metric as a function of sums; returns frozen dataclasses. Knows no task, store or
file. See docs/statistics.md.
"""

from adapterxfer.statistics.collect import build_table
from adapterxfer.statistics.contrasts import (
    Contrast,
    difference,
    gain,
    linear,
    macro,
    score,
    slope,
    slope_weights,
)
from adapterxfer.statistics.draws import DrawComponents, draw_components, mean_counts
from adapterxfer.statistics.engine import Replicates, resample
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.exact import (
    ExactTest,
    PairedCounts,
    agresti_min_interval,
    mcnemar,
    paired_counts,
)
from adapterxfer.statistics.families import (
    FamilyMember,
    Reading,
    adjust_family,
    adjust_tests,
    fewest_df,
    levels_in_family,
)
from adapterxfer.statistics.intervals import shift_p, t_interval, t_p
from adapterxfer.statistics.margins import Equivalence, Outcome, Verdict, decide, equivalence, verdict
from adapterxfer.statistics.metric import SumScore, ratio_metric
from adapterxfer.statistics.moderation import Lenders, lenders, moderate
from adapterxfer.statistics.multiplicity import adjust, own_levels, step_down, with_adjusted
from adapterxfer.statistics.power import (
    detectable_paired,
    minimum_detectable_effect,
    paired_standard_error,
    power_mcnemar,
    power_paired,
    smallest_mcnemar_difference,
)
from adapterxfer.statistics.ranks import RankInterval, rank_intervals
from adapterxfer.statistics.replicability import (
    PartialConjunction,
    partial_conjunction,
)
from adapterxfer.statistics.rungs import Rung, Shared, ladder, rungs, shared_error
from adapterxfer.statistics.table import CellCounts, ScoreCell, ScoreTable, System
from adapterxfer.statistics.thresholds import ENOUGH_RUNS, FEW_CLUSTERS, FEWEST_CLUSTERS, significant
from adapterxfer.statistics.variance import Components
from adapterxfer.statistics.vocabulary import FLAG_TEXT

__all__ = [
    "ENOUGH_RUNS",
    "FEWEST_CLUSTERS",
    "FEW_CLUSTERS",
    "FLAG_TEXT",
    "CellCounts",
    "Components",
    "Contrast",
    "DrawComponents",
    "Equivalence",
    "Estimate",
    "ExactTest",
    "FamilyMember",
    "Lenders",
    "Outcome",
    "PairedCounts",
    "PartialConjunction",
    "RankInterval",
    "Reading",
    "Replicates",
    "Rung",
    "ScoreCell",
    "ScoreTable",
    "Shared",
    "SumScore",
    "System",
    "Verdict",
    "adjust",
    "adjust_family",
    "adjust_tests",
    "agresti_min_interval",
    "build_table",
    "decide",
    "detectable_paired",
    "difference",
    "draw_components",
    "equivalence",
    "estimates",
    "fewest_df",
    "gain",
    "ladder",
    "lenders",
    "levels_in_family",
    "linear",
    "macro",
    "mcnemar",
    "mean_counts",
    "minimum_detectable_effect",
    "moderate",
    "own_levels",
    "paired_counts",
    "paired_standard_error",
    "partial_conjunction",
    "power_mcnemar",
    "power_paired",
    "rank_intervals",
    "ratio_metric",
    "resample",
    "rungs",
    "score",
    "shared_error",
    "shift_p",
    "significant",
    "slope",
    "slope_weights",
    "smallest_mcnemar_difference",
    "step_down",
    "t_interval",
    "t_p",
    "verdict",
    "with_adjusted",
]
