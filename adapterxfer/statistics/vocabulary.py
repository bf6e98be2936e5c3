"""The words of the statistics room: which weights, intervals, scopes, scales and flags exist, and what they mean."""

from __future__ import annotations

from typing import Literal

WeightKind = Literal["multinomial", "poisson", "mammen"]
"""How clusters are reweighted in a replicate; all three give the same coverage for self-normalising metrics."""

IntervalKind = Literal["symmetric", "percentile", "basic", "t", "agresti-min"]
"""``t`` and ``agresti-min`` need no replicates: one uses the analytic standard error and its degrees of freedom, the
other the discordant items of two accuracies, with McNemar's exact p-value beside it."""

PValueKind = Literal["shift", "percentile", "t"]
"""The null-shift p-value belongs to the symmetric interval, the percentile one and the t test to theirs."""

Scope = Literal["items", "items+runs"]
"""What a statement generalises over: new test items for the same models, or new items and new training runs."""

Alternative = Literal["two-sided", "greater", "less"]

Scale = Literal["points", "logit", "log-error"]
"""Scale on which scores are compared. ``log-error`` is log(100 - points): a difference d is a relative error
reduction of 1 - exp(d)."""

FLAG_TEXT: dict[str, str] = {
    "few-clusters": "fewer than 40 clusters of test items: t interval with the analytic standard error",
    "too-few-clusters": "fewer than 10 clusters of test items: no p-value and no verdict",
    "one-seed": "one training run per system: says nothing about retraining",
    "two-seeds": "two training runs per system: the run variance has one degree of freedom per backbone",
    "sparse-discordance": "fewer than 25 clusters differ between the systems: bootstrap intervals may be too short",
    "no-variation": "no variation between clusters: the standard error is zero",
    "undefined-replicates": "the metric was undefined in some replicates; they count as extreme in the p-value",
    "two-points": "a slope through two sizes is a difference, not a trend",
    "ceiling": "a score reached the end of the scale and was clipped before the transform",
    "standard-errors-differ": "bootstrap and analytic standard errors differ by more than 5 % + 4 Monte Carlo errors",
    "unequal-seeds": "systems of one group have different seeds",
}
"""Every flag an `Estimate` can carry, with the sentence a report prints for it."""

Backend = Literal["auto", "numpy", "torch"]
"""Who multiplies matrices: numpy alone, PyTorch's int8 product where it is faster, or whichever is at hand. All give
the same bits."""
