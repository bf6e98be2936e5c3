"""The ladder: one question, four scopes of inference, from these items and models to other backbones.

1. items: new test items, same models. 2. items and runs: trained again as well. 3. languages: other languages of the
same kind, a t interval from the spread of the effects by language and from the error that all of them share (runs and
parallel items). 4. backbones: a trend beyond these checkpoints, a regression with
residual variance. A rung that cannot be computed says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast, slope_weights
from adapterxfer.statistics.engine import make_replicates
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.intervals import t_interval, t_p
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import ScoreTable
from adapterxfer.statistics.variance import Components


@dataclass(frozen=True, slots=True)
class Rung:
    """One scope of inference for one question.

    Attributes:
        scope: `items`, `items+runs`, `languages` or `backbones`.
        value, standard_error, df, low, high, p: None throughout where the rung is missing.
        assumes: what has to hold for the numbers to mean what they say.
        missing: why the rung cannot be computed; empty where it can.
    """

    scope: str
    value: float | None
    standard_error: float | None
    df: float | None
    low: float | None
    high: float | None
    p: float | None
    assumes: str
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
    replicates = make_replicates(table, [question, *languages, *sizes], resamples=resamples, seed=seed)
    items = estimates(table, replicates, scope="items", level=level)[0]
    both = estimates(table, replicates, scope="items+runs", level=level)[0]
    by_language = replicates.values[1 : 1 + len(languages)]
    by_size = replicates.values[1 + len(languages) :]
    shared = shared_error(replicates.components, 0, range(1, 1 + len(languages)))
    return rungs(items, both, by_language, by_size, parameters, shared=shared)


class Shared(NamedTuple):
    """Error that the effects of all languages have in common, so that their spread cannot show it."""

    variance: float
    df: float


def shared_error(parts: Components, question: int, languages: Sequence[int]) -> Shared:
    """Error over runs and parallel items that does not average out over languages.

    The variance of the mean is ``(own + (L - 1) * common) / L`` for error variances ``own`` of one language and a
    covariance ``common`` of two; the spread between languages shows the part that is not common only.

    Args:
        parts: variances of all contrasts; over items alone where a system has a single run.
        question: number of the contrast that is the mean over languages.
        languages: numbers of the same contrast in each language.
    """
    count = len(languages)
    if count < 2:
        return Shared(0.0, math.inf)
    alone = bool(np.isnan(parts.total[question]))
    variances, df = (parts.items, parts.items_df) if alone else (parts.total, parts.total_df)
    own = float(variances[list(languages)].sum()) / count**2
    common = max(float(variances[question]) - own, 0.0) * count / (count - 1)
    return Shared(common, float(df[question]))


def rungs(
    items: Estimate,
    both: Estimate,
    by_language: Floats,
    by_size: Floats,
    parameters: Sequence[float],
    *,
    shared: Shared | None = None,
) -> tuple[Rung, Rung, Rung, Rung]:
    """All four rungs from what was estimated before, so that many questions share one resampling.

    Args:
        items, both: the question in the scopes `items` and `items+runs`.
        by_language: values of the question in each language, whose mean it is; empty where it is no mean.
        by_size: values of the quantity at each backbone, whose slope it is; empty where it is no slope.
        parameters: parameter counts of ``by_size``.
        shared: what `shared_error` says of the languages; nothing in common when None.

    Raises:
        StatisticsError: parts that do not make up the question.
    """
    first = Rung(
        "items",
        items.value,
        items.standard_error,
        items.df,
        items.low,
        items.high,
        items.p,
        "these models, languages and backbones; test items are a random sample",
    )
    assumes = "and training runs are a random sample"
    if both.scope == "items+runs" and both.runs > 0:
        second = Rung("items+runs", both.value, both.standard_error, both.df, both.low, both.high, both.p, assumes)
    elif both.runs == 0:
        second = _missing("items+runs", assumes, "nothing was trained, so there are no runs to repeat")
    else:
        second = _missing("items+runs", assumes, "a single training run per system: repeat with more seeds")
    value, level = items.value, items.level
    third = _languages(by_language, value, level, shared or Shared(0.0, math.inf))
    return first, second, third, _backbones(by_size, parameters, value, level)


def _languages(effects: np.typing.NDArray[np.float64], value: float, level: float, shared: Shared) -> Rung:
    assumes = "and languages are a random sample of their kind; effects by language are about normal"
    if len(effects) < 2:
        reason = "the question is not a mean over languages" if not len(effects) else "a single language"
        return _missing("languages", assumes, reason)
    _check_parts(float(effects.mean()), value, "the mean over languages")
    spread = float(effects.var(ddof=1)) / len(effects)
    whole = spread + shared.variance
    if whole == 0.0:
        return _t_rung("languages", value, 0.0, math.inf, level, assumes)
    df = whole**2 / (spread**2 / (len(effects) - 1) + shared.variance**2 / shared.df)
    return _t_rung("languages", value, math.sqrt(whole), df, level, assumes)


def _backbones(effects: np.typing.NDArray[np.float64], parameters: Sequence[float], value: float, level: float) -> Rung:
    assumes = "and backbones scatter about a straight line on log10 parameters with one variance"
    if len(effects) < 3:
        reason = "the question is not a slope over sizes" if not len(effects) else "fewer than three sizes"
        return _missing("backbones", assumes, reason)
    weights = np.array(slope_weights(parameters))
    _check_parts(float(weights @ effects), value, "the slope over sizes")
    logs = np.log10(np.asarray(parameters, dtype=np.float64))
    fitted = effects.mean() + value * (logs - logs.mean())
    df = float(len(effects) - 2)
    residual = float(((effects - fitted) ** 2).sum()) / df
    return _t_rung("backbones", value, math.sqrt(residual * float((weights**2).sum())), df, level, assumes)


def _t_rung(scope: str, value: float, error: float, df: float, level: float, assumes: str) -> Rung:
    bounds = t_interval(value, error, df, level=level)
    return Rung(scope, value, error, df, bounds.low, bounds.high, t_p(value, error, df), assumes)


def _missing(scope: str, assumes: str, reason: str) -> Rung:
    return Rung(scope, None, None, None, None, None, None, assumes, reason)


def _check_parts(made: float, value: float, what: str) -> None:
    if not math.isclose(made, value, rel_tol=1e-9, abs_tol=1e-9):
        raise StatisticsError(
            f"ladder: {what} is {made:.6g} but the question's value is {value:.6g}",
            fix="build the question from the same parts with macro or slope",
        )
