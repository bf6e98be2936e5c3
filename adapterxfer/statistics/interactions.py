"""Does an effect depend on size, on the method, or on the scale it is measured on, and is a line enough for it.

Questions about sizes are asked on three scales, because a ceiling looks like a trend on one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast, slope, slope_weights
from adapterxfer.statistics.engine import ReplicateValues
from adapterxfer.statistics.estimate import Estimate
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import Label
from adapterxfer.statistics.vocabulary import Scale, Scope

SCALES: tuple[Scale, ...] = ("points", "logit", "log-error")


def method_by_size(
    first: Sequence[Contrast],
    second: Sequence[Contrast],
    parameters: Sequence[float],
    name: str = "",
    **labels: Label,
) -> Contrast:
    """Interaction of method and size: the slope of the first method's quantity minus the slope of the second's.

    Args:
        first, second: the quantity (a score, a gain) of each method at each size.
        parameters: parameter counts, in the same order for both.
    """
    both = slope(first, parameters) - slope(second, parameters)
    return both.named(name or "method x size", **labels)


def on_scales(question: Contrast) -> tuple[Contrast, Contrast, Contrast]:
    """The same question in points, in logits and as relative error; names say which.

    A gain of 0.2 logits is 4.9 points at 55 % and 1.7 points at 90 %: in points alone a ceiling looks like a trend.
    """
    points, logit, error = (question.on(scale).named(f"{question.name} [{scale}]", scale=scale) for scale in SCALES)
    return points, logit, error


@dataclass(frozen=True, slots=True)
class ScaleAgreement:
    """Whether a question has the same answer on every scale.

    Attributes:
        outcome: `agree`, or `scale dependent` where signs or significance differ.
        directions: scale -> 1, 0 or -1: sign of a better-is-larger effect where it is significant, else 0.
        sentence: for a report.
    """

    outcome: Literal["agree", "scale dependent"]
    directions: dict[Scale, int]
    sentence: str


def scale_agreement(rows: Sequence[Estimate]) -> ScaleAgreement:
    """Compare the estimates of one question on several scales.

    Relative error falls where points rise, so its sign is turned before comparing.

    Raises:
        StatisticsError: fewer than two scales, or one twice.
    """
    if len({row.scale for row in rows}) != len(rows) or len(rows) < 2:
        raise StatisticsError("scale agreement: needs one estimate on each of several scales", fix="use on_scales")
    signs: dict[Scale, int] = {}
    directions: dict[Scale, int] = {}
    for row in rows:
        value = -row.value if row.scale == "log-error" else row.value
        signs[row.scale] = int(np.sign(value))
        p = row.p_adjusted if row.adjustment else row.p
        directions[row.scale] = signs[row.scale] if p is not None and p <= 1.0 - row.level else 0
    agree = len(set(signs.values())) == 1 and len(set(directions.values())) == 1
    words = ", ".join(f"{scale}: {_WORDS[direction]}" for scale, direction in directions.items())
    if agree:
        return ScaleAgreement("agree", directions, f"the same on every scale ({words})")
    return ScaleAgreement("scale dependent", directions, f"scale dependent ({words})")


_WORDS = {1: "up", 0: "not significant", -1: "down"}


def relative_error_reduction(log_error_difference: float) -> float:
    """Share of the errors that went away, from a difference on the scale ``log-error``: ``1 - exp(d)``."""
    return -float(np.expm1(log_error_difference))


@dataclass(frozen=True, slots=True)
class LackOfFit:
    """Test of "a straight line on log10 parameters is enough".

    Attributes:
        q: weighted sum of squared residuals.
        df: number of sizes minus 2.
        p: p-value; None with two sizes, through which every line passes.
    """

    q: float
    df: int
    p: float | None


def lack_of_fit(
    replicates: ReplicateValues, columns: Sequence[int], parameters: Sequence[float], *, scope: Scope = "items"
) -> LackOfFit:
    """Q of the residuals from the generalised least-squares line, chi-squared with K - 2 degrees of freedom.

    Its power is small with few sizes, so a large p-value does not make the trend a line.

    Args:
        columns: contrast number of the quantity at each size.
        parameters: parameter counts in the same order.
        scope: with `items+runs` the run variances are added; models of different sizes have separate runs.

    Raises:
        StatisticsError: numbers that do not match, fewer than two sizes, or a quantity that does not vary.
    """
    chosen = list(columns)
    if len(chosen) != len(parameters):
        raise StatisticsError(f"{len(chosen)} contrasts for {len(parameters)} sizes", fix="give one each")
    slope_weights(parameters)
    if len(chosen) == 2:
        return LackOfFit(0.0, 0, None)
    draws = replicates.replicates[:, chosen]
    covariance = np.cov(draws[~np.isnan(draws).any(axis=1)], rowvar=False)
    if scope == "items+runs":
        parts = replicates.components
        covariance = covariance + np.diag(np.maximum(parts.total[chosen] - parts.items[chosen], 0.0))
    if np.isnan(covariance).any() or np.linalg.matrix_rank(covariance) < len(chosen):
        raise StatisticsError(
            "lack of fit: the quantities have no variances or depend on each other",
            fix="give a different quantity at each size, with several seeds for the scope items+runs",
        )
    q = _residual(replicates.values[chosen], np.log10(np.asarray(parameters, dtype=np.float64)), covariance)
    df = len(chosen) - 2
    return LackOfFit(q, df, float(special.chdtrc(df, q)))


def _residual(values: Floats, logs: Floats, covariance: Floats) -> float:
    root = np.linalg.cholesky(covariance)
    line = np.linalg.solve(root, np.stack([np.ones_like(logs), logs], axis=1))
    target = np.linalg.solve(root, values)
    fitted = line @ np.linalg.lstsq(line, target, rcond=None)[0]
    return float(((target - fitted) ** 2).sum())
