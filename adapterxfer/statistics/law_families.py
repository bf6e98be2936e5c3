"""Language families around a law: partial pooling of their levels and slopes, and what an unseen language may do.

The mean over languages follows a law of size (`laws`). A family lies above or below it, by a level and a slope of its
own that are drawn towards 0 as far as families are alike; a language lies around its family. All variances come from
the deviations themselves, so that what training runs do to a family is in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.pooling import paule_mandel


class Deviation(NamedTuple):
    """Expected deviation from the mean over languages, its variance and the degrees of freedom of that."""

    shift: float
    variance: float
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """Deviations of families from the law; arrays of shape ``(families,)`` in the order of `names`.

    Attributes:
        sizes: languages of each family.
        levels, slopes: as observed, in points, and points per tenfold parameters.
        between_level, between_slope: variances of the true ones between families.
        noise: variance of a family's mean at one backbone around its line, by what training runs did to it.
        noise_df: degrees of freedom of it.
        language: variance of the true levels of a family's languages; NaN where no family has two.
        item: variance of one language at one backbone around its level; NaN like `language`.
        centre, reach: mean and sum of squares of ``log10(parameters)``.
        backbones: how many.
        token_slope: points per tenfold text of the language; 0 where no amounts were given.
        token_error: its standard error.
        token_centre: mean of the languages' log10 amounts.
    """

    names: tuple[str, ...]
    sizes: Floats
    levels: Floats
    slopes: Floats
    between_level: float
    between_slope: float
    noise: float
    noise_df: float
    language: float
    item: float
    centre: float
    reach: float
    backbones: int
    token_slope: float
    token_error: float
    token_centre: float

    def family(self, name: str, parameters: float) -> Deviation:
        """A known family's mean over the same languages at a size."""
        k = self.names.index(name)
        away = math.log10(parameters) - self.centre
        noise = self._noise(k)
        inside = 0.0 if math.isnan(self.language) else self.language / self.sizes[k]
        level = _shrunken(float(self.levels[k]), noise / self.backbones, self.between_level + inside)
        slope = _shrunken(float(self.slopes[k]), noise / self.reach, self.between_slope)
        variance = level.variance + slope.variance * away**2 + noise
        return Deviation(level.shift + slope.shift * away, variance, self.noise_df)

    def unseen(self, name: str | None, parameters: float, tokens: float | None = None) -> Deviation:
        """A language that was not measured, of a known family or of another one (None).

        Args:
            tokens: amount of its text in pretraining, in the unit that the others' were given in.

        Raises:
            StatisticsError: no family has two languages, so nothing says how much languages differ.
        """
        if math.isnan(self.language):
            raise StatisticsError(
                "law: every family has a single language, so nothing says how much languages of a family differ",
                fix="leave --language out, or add languages of one family",
            )
        away = math.log10(parameters) - self.centre
        # Between-family variances from a handful of families are uncertain: so few degrees of freedom.
        df = float(max(len(self.names) - 1, 1))
        if name is None:
            level, slope = Deviation(0.0, self.between_level, df), Deviation(0.0, self.between_slope, df)
        else:
            k = self.names.index(name)
            noise = self._noise(k)
            within = self.language / self.sizes[k] + noise / self.backbones
            level = _shrunken(float(self.levels[k]), within, self.between_level)
            slope = _shrunken(float(self.slopes[k]), noise / self.reach, self.between_slope)
            df = self.noise_df
        shift, variance = level.shift + slope.shift * away, level.variance + slope.variance * away**2
        variance += self.language + self.item + self._training()
        if tokens is not None and self.token_error > 0.0:
            distance = math.log10(tokens) - self.token_centre
            shift += self.token_slope * distance
            variance += (self.token_error * distance) ** 2
        return Deviation(shift, variance, df)

    def _noise(self, k: int) -> float:
        item = 0.0 if math.isnan(self.item) else self.item
        return self._training() + item / float(self.sizes[k]) if item else self.noise

    def _training(self) -> float:
        """The part of `noise` that all languages of a family share."""
        if math.isnan(self.item):
            return 0.0
        return max(0.0, self.noise - self.item * float((1.0 / self.sizes).mean()))


def fit_families(
    parameters: Sequence[float], gains: Floats, families: Sequence[str], tokens: Sequence[float] | None = None
) -> Families:
    """Estimate how families and languages deviate from their mean.

    Args:
        parameters: of the backbones.
        gains: of every language at every backbone, in points, shape ``(languages, backbones)``.
        families: of the languages.
        tokens: amount of every language's text in pretraining, in any unit, positive.

    Raises:
        StatisticsError: fewer than two families or three different sizes, or numbers that do not fit together.

    Source: Morris 1983 for parametric empirical Bayes; Paule and Mandel 1982 for the variances between families.
    """
    x = np.log10(np.asarray(parameters, dtype=np.float64))
    names = tuple(dict.fromkeys(families))
    if gains.shape != (len(families), len(x)) or not np.isfinite(gains).all():
        raise StatisticsError(f"law: gains {gains.shape} of {len(families)} languages", fix="give one for each size")
    if len(names) < 2 or len(np.unique(x)) < 3:
        raise StatisticsError(
            f"law: {len(names)} families at {len(np.unique(x))} sizes", fix="families need two of them and three sizes"
        )
    away = x - x.mean()
    reach = float(away @ away)
    deviations = gains - gains.mean(axis=0)
    token_slope, token_error, token_centre = 0.0, 0.0, 0.0
    if tokens is not None:
        amounts = np.log10(np.asarray(tokens, dtype=np.float64))
        token_centre = float(amounts.mean())
        token_slope, token_error = _token_slope(amounts - token_centre, deviations.mean(axis=1))
        deviations = deviations - (token_slope * (amounts - token_centre))[:, None]
    member = np.array([[family == name for family in families] for name in names], dtype=np.float64)
    sizes = member.sum(axis=1)
    means = (member / sizes[:, None]) @ deviations
    levels, slopes = means.mean(axis=1), means @ away / reach
    rest = means - levels[:, None] - slopes[:, None] * away
    noise_df = float((len(names) - 1) * (len(x) - 2))
    noise = float((rest**2).sum()) / noise_df
    language = item = math.nan
    if len(families) > len(names):
        inside = deviations - member.T @ means
        own_levels = inside.mean(axis=1)
        item = float(((inside - own_levels[:, None]) ** 2).sum()) / ((len(families) - len(names)) * (len(x) - 1))
        language = max(0.0, float((own_levels**2).sum()) / (len(families) - len(names)) - item / len(x))
    noises = np.full(len(names), noise)
    spread = noises / len(x) + (0.0 if math.isnan(language) else language) / sizes
    tiny = 1e-12 + 1e-9 * float((gains**2).mean())
    return Families(
        names=names, sizes=sizes, levels=levels, slopes=slopes,
        between_level=paule_mandel(levels, np.maximum(spread, tiny)),
        between_slope=paule_mandel(slopes, np.maximum(noises / reach, tiny)),
        noise=noise, noise_df=noise_df, language=language, item=item, centre=float(x.mean()), reach=reach,
        backbones=len(x), token_slope=token_slope, token_error=token_error, token_centre=token_centre,
    )  # fmt: skip


def _shrunken(observed: float, error: float, between: float) -> Deviation:
    """Posterior mean and variance of a true deviation, drawn towards 0 as far as families are alike."""
    if between <= 0.0:
        return Deviation(0.0, 0.0, math.inf)
    share = between / (between + error)
    return Deviation(share * observed, share * error, math.inf)


def _token_slope(amounts: Floats, levels: Floats) -> tuple[float, float]:
    """Least-squares slope of the languages' levels on their amounts of text, and its standard error."""
    squares = float(amounts @ amounts)
    if len(levels) < 4 or squares < 1e-12:
        raise StatisticsError("law: fewer than four languages with different amounts of text", fix="leave --tokens out")
    slope = float(amounts @ levels) / squares
    rest = levels - levels.mean() - slope * amounts
    return slope, math.sqrt(float(rest @ rest) / (len(levels) - 2) / squares)
