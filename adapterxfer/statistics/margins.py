"""Equivalence and non-inferiority against a margin, and the verdict a report prints.

"Not significant" is never "no difference": a verdict is a difference, an equivalence within a declared margin, or
inconclusive with the smallest effect that would have been found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import Replicates
from adapterxfer.statistics.estimate import Estimate
from adapterxfer.statistics.intervals import Bounds, interval, shift_p, t_interval, t_p
from adapterxfer.statistics.power import minimum_detectable_effect, smallest_mcnemar_difference
from adapterxfer.statistics.thresholds import FEWEST_CLUSTERS, significant

Outcome = Literal["difference found", "equivalent", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided tests of one estimate against a margin.

    Attributes:
        margin: in the unit of the estimate.
        p_not_inferior: p-value of "the true value is at most -margin".
        p_not_superior: p-value of "the true value is at least +margin".
        p: p-value of "the true value lies outside (-margin, margin)": the larger of the two.
        low, high: interval at level ``1 - 2 * alpha``; inside the margins if and only if ``p <= alpha``.
        alpha: error rate of each test.
    """

    margin: float
    p_not_inferior: float
    p_not_superior: float
    p: float
    low: float
    high: float
    alpha: float

    @property
    def equivalent(self) -> bool:
        """True if the difference is shown to be smaller than the margin."""
        return significant(self.p, self.alpha)

    @property
    def non_inferior(self) -> bool:
        """True if the first system is shown to be not worse than the second by the margin."""
        return significant(self.p_not_inferior, self.alpha)


def equivalence(estimate: Estimate, replicates: Replicates, number: int, *, margin: float) -> Equivalence:
    """Tests against a margin, in the scope and by the method of the estimate.

    Args:
        estimate: of contrast ``number`` of ``replicates``.
        margin: positive; it has to come from the recipe, since any difference is equivalent within some margin.

    Raises:
        StatisticsError: a margin that is not positive, or an estimate of another contrast.

    Source: Schuirmann 1987.
    """
    if not margin > 0.0 or not math.isfinite(margin):
        raise StatisticsError(f"margin {margin}; expected a positive number", fix="declare the margin in the recipe")
    if estimate.value != float(replicates.values[number]):
        raise StatisticsError(
            f"'{estimate.name}' is not contrast {number} of these replicates", fix="pass the number of its contrast"
        )
    alpha = 1.0 - estimate.level
    value, error, df = estimate.value, estimate.standard_error, estimate.df
    bounds: Bounds
    if estimate.interval == "t":
        above = t_p(value, error, df, null=-margin, alternative="greater")
        below = t_p(value, error, df, null=margin, alternative="less")
        bounds = t_interval(value, error, df, level=1.0 - 2.0 * alpha)
    else:
        column = replicates.replicates[:, number]
        above = shift_p(column, value, null=-margin, alternative="greater")
        below = shift_p(column, value, null=margin, alternative="less")
        bounds = interval(column, value, kind="basic", level=1.0 - 2.0 * alpha)
    return Equivalence(
        margin=margin,
        p_not_inferior=above,
        p_not_superior=below,
        p=max(above, below),
        low=bounds.low,
        high=bounds.high,
        alpha=alpha,
    )


def decide(*, p: float | None, p_equivalent: float | None = None, alpha: float) -> Outcome:
    """What p-values allow to say; the only place where a verdict is made.

    A difference goes before an equivalence: both can be true of a small effect that is measured well.

    Args:
        p: of "the true value is 0", adjusted for its family; None where it is withheld.
        p_equivalent: of "the true value is at least the margin", adjusted; None where no margin was declared.
        alpha: error rate; a p-value equal to it rejects.
    """
    if significant(p, alpha):
        return "difference found"
    return "equivalent" if significant(p_equivalent, alpha) else "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said about a contrast.

    Attributes:
        outcome: one of three.
        sentence: the outcome with its numbers.
        minimum_detectable: effect that would have been found with probability 0.8 (after adjustment, if the estimate
            is of a family), in the unit of the estimate; infinite where none can be promised.
    """

    outcome: Outcome
    sentence: str
    minimum_detectable: float


def verdict(estimate: Estimate, test: Equivalence | None = None, *, unit: str = "points") -> Verdict:
    """The verdict of an estimate: by its adjusted p-value where it has one.

    Args:
        test: equivalence test, where a margin was declared.
        unit: printed after numbers.
    """
    alpha = 1.0 - estimate.level
    level = alpha if estimate.alpha_in_family is None else estimate.alpha_in_family
    df = min(estimate.df, estimate.df_in_family)
    smallest = minimum_detectable_effect(estimate.standard_error, df, alpha=level)
    if (pair := estimate.pair) is not None:
        smallest = smallest_mcnemar_difference(pair.items, pair.only_first, pair.only_second, alpha=level)
    p = estimate.p_adjusted if estimate.adjustment else estimate.p
    few = estimate.clusters < FEWEST_CLUSTERS
    within = test is not None and test.equivalent and not few
    outcome = decide(p=None if few else p, p_equivalent=test.p if test is not None and within else None, alpha=alpha)
    if outcome == "difference found":
        also = f", though smaller than {test.margin:g} {unit}" if test is not None and within else ""
        sentence = f"difference found: {estimate.value:+.2f} {unit} [{estimate.low:.2f}, {estimate.high:.2f}]{also}"
    elif test is not None and outcome == "equivalent":
        sentence = f"equivalent within {test.margin:g} {unit}"
    elif few:
        sentence = f"inconclusive ({estimate.clusters} clusters of test items; a verdict needs {FEWEST_CLUSTERS})"
    else:
        bound = f"{smallest:.2f} {unit}" if math.isfinite(smallest) else "unbounded"
        sentence = f"inconclusive (minimum detectable effect {bound})"
    return Verdict(outcome, sentence, smallest)
