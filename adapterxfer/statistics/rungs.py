"""The ladder: one question, four scopes of inference, from these items and models to other backbones.

1. items: new test items, same models. 2. items and runs: trained again as well. 3. languages: other languages of the
same kind, a t interval from the spread of the effects by language and from the error that all of them share (runs and
parallel items). 4. backbones: a trend beyond these checkpoints, a regression with residual variance. Each rung claims
what the rungs below it claim as well, so it is never narrower. A rung that cannot be computed says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast, slope_weights
from adapterxfer.statistics.engine import resample
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.intervals import t_interval, t_p
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.power import minimum_detectable_effect
from adapterxfer.statistics.reach import within
from adapterxfer.statistics.table import ScoreTable
from adapterxfer.statistics.variance import Components

ENOUGH_SIZES = 4
"""With three sizes one degree of freedom is left for the scatter of backbones about a line."""

THREE_SIZES = "three sizes cannot decide this (power about .1 for a change of 5 points per tenfold parameters)"
"""In 40,000 simulated slopes with three sizes over 0.9 decades, .09 to .14; with six sizes .71 to .98."""

ONE_RUN = "a single training run per system: repeat with more seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One scope of inference for one question; numbers are None throughout where the rung is missing.

    Attributes:
        scope: `items`, `items+runs`, `languages` or `backbones`.
        value, standard_error, df: of this rung alone.
        low, high: of the claim at this rung, which contains the rungs below: the hull of their intervals.
        p: the largest of the p-values up to this rung; None where one of them is unknown (few test items).
        detectable: the largest of the minimum detectable effects up to this rung.
        assumes: what has to hold for the numbers to mean what they say.
        missing: why the rung cannot be computed; empty where it can.
    """

    scope: str
    value: float | None = None
    standard_error: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    detectable: float | None = None
    assumes: str = ""
    missing: str = ""


def ladder(
    table: ScoreTable,
    question: Contrast,
    *,
    languages: Sequence[Contrast] = (),
    sizes: Sequence[Contrast] = (),
    parameters: Sequence[float] = (),
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> tuple[Rung, Rung, Rung, Rung]:
    """All four rungs of one question.

    Args:
        question: the contrast.
        languages: the same question in each language, whose plain mean is the question; empty where it is not a mean.
        sizes: the quantity at each backbone, whose slope is the question; empty where it is not a slope.
        parameters: parameter counts of `sizes`.

    Raises:
        StatisticsError: parts that do not make up the question.
    """
    if len(sizes) != len(parameters):
        raise StatisticsError(f"{len(sizes)} sizes with {len(parameters)} parameter counts", fix="give one each")
    replicates = resample(table, [question, *languages, *sizes], resamples=resamples, seed=seed)
    items = estimates(table, replicates, scope="items", level=level)[0]
    both = estimates(table, replicates, scope="items+runs", level=level)[0]
    return rungs(
        items,
        both,
        by_language=replicates.values[1 : 1 + len(languages)],
        by_size=replicates.values[1 + len(languages) :],
        parameters=parameters,
        shared=shared_error(replicates.components, 0, range(1, 1 + len(languages))),
    )


class Shared(NamedTuple):
    """Error that the effects of all languages have in common, so that their spread cannot show it."""

    variance: float
    df: float


def shared_error(parts: Components, question: int, languages: Sequence[int]) -> Shared:
    """Error over runs and parallel items that does not average out over languages.

    The variance of the mean is ``(single + (L - 1) * common) / L`` for error variances ``single`` of one language and a
    covariance ``common`` of two; the spread between languages shows the part that is not common only.

    Args:
        parts: variances of all contrasts; over items alone where a system has a single run.
        question: number of the contrast that is the mean over languages.
        languages: numbers of the same contrast in each language.
    """
    count = len(languages)
    if count < 2:
        return Shared(0.0, math.inf)
    one_run = bool(np.isnan(parts.total[question]))
    variances, df = (parts.items, parts.items_df) if one_run else (parts.total, parts.total_df)
    separate = float(variances[list(languages)].sum()) / count**2
    common = max(float(variances[question]) - separate, 0.0) * count / (count - 1)
    return Shared(common, float(df[question]))


def rungs(
    items: Estimate,
    both: Estimate,
    *,
    by_language: Floats,
    by_size: Floats,
    parameters: Sequence[float],
    shared: Shared | None = None,
) -> tuple[Rung, Rung, Rung, Rung]:
    """All four rungs from what was estimated before, so that many questions share one resampling.

    A rung claims all that the rungs below it claim, so it is never more certain than they are: its interval is the hull
    of its own and theirs, its p-value and its minimum detectable effect the largest. Where the runs cannot be had
    because there is one per system, neither can what lies above them.

    Args:
        items, both: the question in the scopes `items` and `items+runs`.
        by_language: values of the question in each language, whose mean it is; empty where it is no mean.
        by_size: values of the quantity at each backbone, whose slope it is; empty where it is no slope.
        parameters: parameter counts of ``by_size``.
        shared: what `shared_error` says of the languages; nothing in common when None.

    Raises:
        StatisticsError: parts that do not make up the question.
    """
    first = _of_estimate("items", items, "these models, languages and backbones; test items are a random sample")
    third = _languages(by_language, items, shared or Shared(0.0, math.inf))
    fourth = _backbones(by_size, parameters, items)
    second = _runs(both)
    if both.runs == 1:
        third, fourth = (_missing(r.scope, r.assumes, r.missing or second.missing) for r in (third, fourth))
    return _nested((first, second, third, fourth), alpha=1.0 - items.level)


def _runs(both: Estimate) -> Rung:
    assumes = "and training runs are a random sample"
    if both.runs == 0:
        return _missing("items+runs", assumes, "nothing was trained, so there are no runs to repeat")
    if both.runs == 1:
        return _missing("items+runs", assumes, ONE_RUN)
    return _of_estimate("items+runs", both, assumes)


def _nested(ladder: tuple[Rung, Rung, Rung, Rung], *, alpha: float) -> tuple[Rung, Rung, Rung, Rung]:
    """The ladder with every rung at least as uncertain as those below it."""
    below: list[Rung] = []
    result = []
    for rung in ladder:
        if not rung.missing:
            assert rung.standard_error is not None
            assert rung.df is not None
            detectable = minimum_detectable_effect(rung.standard_error, rung.df, alpha=alpha)
            below.append(replace(rung, detectable=detectable))
            known = [lower.p for lower in below]
            rung = replace(
                rung,
                low=min(lower.low for lower in below if lower.low is not None),
                high=max(lower.high for lower in below if lower.high is not None),
                p=None if None in known else max(p for p in known if p is not None),
                detectable=max(lower.detectable for lower in below if lower.detectable is not None),
            )
        result.append(rung)
    return result[0], result[1], result[2], result[3]


def _languages(effects: Floats, items: Estimate, shared: Shared) -> Rung:
    assumes = "and languages are a random sample of their kind; effects by language are about normal"
    if len(effects) < 2:
        reason = "the question is not a mean over languages" if not len(effects) else "a single language"
        return _missing("languages", assumes, reason)
    _check_parts(float(effects.mean()), items.value, "the mean over languages")
    spread = float(effects.var(ddof=1)) / len(effects)
    whole = spread + shared.variance
    if whole == 0.0:
        return _t_rung("languages", 0.0, math.inf, items=items, assumes=assumes)
    df = whole**2 / (spread**2 / (len(effects) - 1) + shared.variance**2 / shared.df)
    return _t_rung("languages", math.sqrt(whole), df, items=items, assumes=assumes)


def _backbones(effects: Floats, parameters: Sequence[float], items: Estimate) -> Rung:
    assumes = "and backbones scatter about a straight line on log10 parameters with one variance"
    if len(effects) < 3:
        reason = "the question is not a slope over sizes" if not len(effects) else "fewer than three sizes"
        return _missing("backbones", assumes, reason)
    if len(effects) < ENOUGH_SIZES:
        assumes += f"; {THREE_SIZES}"
    weights = np.array(slope_weights(parameters))
    _check_parts(float(weights @ effects), items.value, "the slope over sizes")
    logs = np.log10(np.asarray(parameters, dtype=np.float64))
    fitted = effects.mean() + items.value * (logs - logs.mean())
    df = float(len(effects) - 2)
    residual = float(((effects - fitted) ** 2).sum()) / df
    error = math.sqrt(residual * float((weights**2).sum()))
    return _t_rung("backbones", error, df, items=items, assumes=assumes)


def _of_estimate(scope: str, row: Estimate, assumes: str) -> Rung:
    return Rung(
        scope=scope,
        value=row.value,
        standard_error=row.standard_error,
        df=row.df,
        low=row.low,
        high=row.high,
        p=row.p,
        assumes=assumes,
    )


def _t_rung(scope: str, error: float, df: float, *, items: Estimate, assumes: str) -> Rung:
    """A rung of the question that ``items`` answers; no end lies beyond what the question can reach."""
    value = items.value
    bounds = within(*t_interval(value, error, df, level=items.level), items.reach)
    return Rung(
        scope=scope,
        value=value,
        standard_error=error,
        df=df,
        low=bounds.low,
        high=bounds.high,
        p=t_p(value, error, df),
        assumes=assumes,
    )


def _missing(scope: str, assumes: str, reason: str) -> Rung:
    return Rung(scope=scope, assumes=assumes, missing=reason)


def _check_parts(mean: float, value: float, name: str) -> None:
    if not math.isclose(mean, value, rel_tol=1e-9, abs_tol=1e-9):
        raise StatisticsError(
            f"ladder: {name} is {mean:.6g} but the question's value is {value:.6g}",
            fix="build the question from the same parts with macro or slope",
        )
