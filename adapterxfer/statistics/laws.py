"""Laws of the gain: how an effect changes with the size of the backbone, and what to expect at a size not tried yet.

Three forms in ``x = log10(parameters)``: `linear`, growing without limit; `saturating`, a power law of the parameters
with a floor, ``c + a N^-r``; `bounded`, going over from one level to another (logistic). Each is a line in its own
basis, ``level + change * f(x)``, over a few curvatures. The unknown scale of the deviations has the reference prior
``1 / scale``, so every curvature predicts with Student's t of ``sizes - 2`` degrees of freedom, exactly as a regression
line does; curvatures and forms are averaged by how well they explain the sizes at hand. Only the ratios of the standard
errors are used: how far backbones lie from any law is not known beforehand, and is estimated from the deviations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import optimize, special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import t_quantile
from adapterxfer.statistics.metric import Floats

Form = Literal["linear", "saturating", "bounded"]
FORMS: tuple[Form, ...] = ("linear", "saturating", "bounded")
RATES = (0.75, 1.5, 3.0, 6.0)
"""Rates of `saturating` per observed range of sizes: from nearly a line to flat after the first third."""
MIDDLES, STEEPNESSES = (0.0, 0.5, 1.0), (4.0, 8.0)
"""Where `bounded` is half way, and how fast it goes, as shares of the observed range."""
FEWEST = 3
"""Different sizes that a law needs: a line through two leaves no degree of freedom for their deviations."""
FEWEST_LEFT_OUT = 4
"""Sizes from which on one can be left out and the others still fitted."""


class CurveShape(NamedTuple):
    """One curvature of one form; `saturating` has a rate only."""

    form: Form
    steepness: float = 0.0
    middle: float = 0.0

    def values(self, share: Floats) -> Floats:
        """The basis at sizes given as shares of the observed range."""
        if self.form == "linear":
            return share
        if self.form == "saturating":
            return np.asarray(-np.exp(-self.steepness * share))
        return np.asarray(special.expit(self.steepness * (share - self.middle)))


SHAPES: tuple[CurveShape, ...] = (
    CurveShape("linear"),
    *(CurveShape("saturating", rate) for rate in RATES),
    *(CurveShape("bounded", steepness, middle) for middle in MIDDLES for steepness in STEEPNESSES),
)


@dataclass(frozen=True, slots=True)
class PredictiveMixture:
    """A predictive distribution: Student's t around several values; arrays of shape ``(components,)``."""

    weights: Floats
    values: Floats
    scales: Floats
    df: Floats

    @property
    def mean(self) -> float:
        """Weighted value of the components."""
        return float(self.weights @ self.values)

    def quantile(self, probability: float) -> float:
        """Value below which the outcome lies with this probability."""
        if not self.scales.any():
            return self.mean
        reach = np.abs(special.stdtrit(self.df, min(probability, 1.0 - probability) / 2.0 / len(self.weights)))
        low, high = float((self.values - reach * self.scales).min()), float((self.values + reach * self.scales).max())
        return float(optimize.brentq(lambda value: self.below(value) - probability, low - 1.0, high + 1.0, xtol=1e-9))

    def below(self, value: float) -> float:
        """Probability of an outcome below a value."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = np.where(self.scales > 0.0, (value - self.values) / self.scales, np.sign(value - self.values))
        exact = (np.sign(value - self.values) + 1.0) / 2.0
        return float(self.weights @ np.where(self.scales > 0.0, special.stdtr(self.df, distances), exact))

    def log_density(self, value: float) -> float:
        """Log density of an outcome; what predictions are scored by."""
        scales = np.maximum(self.scales, 1e-12)
        standard = (value - self.values) / scales
        constant = special.gammaln((self.df + 1) / 2) - special.gammaln(self.df / 2) - 0.5 * np.log(self.df * np.pi)
        logs = constant - (self.df + 1) / 2 * np.log1p(standard**2 / self.df) - np.log(scales)
        return float(special.logsumexp(logs, b=self.weights))

    def widened(self, shift: float, variance: float, df: float) -> PredictiveMixture:
        """The distribution of the sum with an independent deviation, of which a variance estimate is known.

        Half widths of 95 % add up as squares, each with its own degrees of freedom; those of the law are kept. The
        sum's Satterthwaite degrees of freedom would make it narrower than the law alone where that has one or two.
        """
        ratio = t_quantile(0.975, df) / special.stdtrit(self.df, 0.975)
        return PredictiveMixture(
            self.weights, self.values + shift, np.sqrt(self.scales**2 + variance * ratio**2), self.df
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFit:
    """One form and how it did.

    Attributes:
        weight: in the average over forms, 0 to 1.
        left_out_error: root mean squared error, in points, at sizes left out; NaN with fewer than four sizes.
        left_out_density: mean log density of sizes left out; NaN like that.
        behind: how much lower the sum of these is than the best form's.
        behind_error: standard error of `behind`.
    """

    form: Form
    weight: float
    left_out_error: float
    left_out_density: float
    behind: float
    behind_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The measured effect expected at a size; `forms` has the interval of every form alone."""

    parameters: float
    value: float
    low: float
    high: float
    level: float
    forms: dict[Form, tuple[float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """Laws of one effect, fitted to its values at several sizes.

    Attributes:
        parameters, effects, covariance: what they were fitted to, in the order of size.
        forms: in the order of `FORMS`.
        told_apart: whether sizes left out favour one form over all others.
        deviation: estimated standard deviation of a measured effect from the law, in points.
        sampling_error: typical standard error of the effects that is not common to all sizes.
    """

    parameters: Floats
    effects: Floats
    covariance: Floats
    forms: tuple[FormFit, ...]
    told_apart: bool
    deviation: float
    sampling_error: float

    def mixture(self, parameters: float, form: Form | None = None) -> PredictiveMixture:
        """Predictive distribution of the effect measured at a size, by all forms or by one.

        Raises:
            StatisticsError: a size that is not positive.
        """
        if not parameters > 0.0:
            raise StatisticsError(f"law: {parameters:g} parameters", fix="give a positive number of parameters")
        fits = _components(np.log10(self.parameters), self.effects, self.covariance, math.log10(parameters))
        return _mixture(fits, len(self.parameters), form)

    def predict(self, parameters: float, *, level: float = 0.95) -> Prediction:
        """What to expect from a backbone of a size, measured on the same test items with as many runs.

        Raises:
            StatisticsError: a size that is not positive.
        """
        tail = (1.0 - level) / 2.0
        whole = self.mixture(parameters)
        each = {}
        for form in FORMS:
            alone = self.mixture(parameters, form)
            each[form] = (alone.mean, alone.quantile(tail), alone.quantile(1.0 - tail))
        low, high = whole.quantile(tail), whole.quantile(1.0 - tail)
        return Prediction(parameters=parameters, value=whole.quantile(0.5), low=low, high=high, level=level, forms=each)


def fit_laws(parameters: Sequence[float], effects: Sequence[float], covariance: Floats) -> Laws:
    """Fit all forms to effects at three or more sizes, and compare them at sizes left out.

    Args:
        parameters: of the backbones, positive; several may have one size.
        effects: in points.
        covariance: of the effects' sampling errors, shape ``(sizes, sizes)``. What all have in common (the test items)
            moves them together and is no deviation from a law.

    Raises:
        StatisticsError: fewer than three different sizes, or numbers that do not fit together.

    Source: Kaplan et al. 2020 and Hestness et al. 2017 for power laws of size, with a floor in the latter; Zellner
        1971, chapter 3, for the predictive t distribution; Hoeting et al. 1999 for averaging over models; Vehtari,
        Gelman and Gabry 2017 and Sivula et al. 2020 for comparing by what is left out, and its limits with few data.
    """
    sizes, values = np.asarray(parameters, dtype=np.float64), np.asarray(effects, dtype=np.float64)
    _check(sizes, values, covariance)
    order = np.argsort(sizes, kind="stable")
    sizes, values, covariance = sizes[order], values[order], covariance[np.ix_(order, order)]
    x = np.log10(sizes)
    components = _components(x, values, covariance, float(x[-1]))
    weights = _weights(components.logs)
    errors, densities = _left_out(x, values, covariance)
    totals = densities.sum(axis=1)
    best = int(np.argmax(totals)) if np.isfinite(totals).all() else 0
    gaps = densities[best] - densities
    behind = gaps.sum(axis=1)
    behind_error = np.sqrt(len(x)) * gaps.std(axis=1, ddof=1) if np.isfinite(gaps).all() else np.full(3, math.nan)
    fits = tuple(
        FormFit(
            form=form,
            weight=float(weights[[shape.form == form for shape in SHAPES]].sum()),
            left_out_error=float(np.sqrt((errors[k] ** 2).mean())),
            left_out_density=float(densities[k].mean()),
            behind=float(behind[k]),
            behind_error=float(behind_error[k]),
        )
        for k, form in enumerate(FORMS)
    )
    others = [fit for k, fit in enumerate(fits) if k != best]
    # Differences below 4 are within what few data give by chance, whatever their standard error says (Sivula et al.).
    # And a form is not beaten where it misses sizes left out by no more than sampling errors do.
    typical = math.sqrt(float(np.diag(_apart(covariance)).mean()))
    apart = all(fit.behind > max(4.0, 2.0 * fit.behind_error) and fit.left_out_error > 2.0 * typical for fit in others)
    return Laws(
        parameters=sizes, effects=values, covariance=covariance, forms=fits, told_apart=apart,
        deviation=math.sqrt(float(weights @ components.residuals)),
        sampling_error=typical,
    )  # fmt: skip


class _Components(NamedTuple):
    """Fits of all shapes: log weights, predicted values, squared scales at one size, and residual variances."""

    logs: Floats
    values: Floats
    squares: Floats
    residuals: Floats


def _components(x: Floats, effects: Floats, covariance: Floats, at: float) -> _Components:
    """All shapes fitted by generalised least squares.

    The bases are brought to mean 0 and standard deviation 1 over the sizes at hand: the flat prior on the change then
    means the same for all of them, and the fits compete by their residuals alone.
    """
    low, reach = float(x[0]), float(x[-1] - x[0])
    share, ahead = (x - low) / reach, np.array([(at - low) / reach])
    basis = np.stack([shape.values(share) for shape in SHAPES])
    centre, spread = basis.mean(axis=1), basis.std(axis=1)
    design = np.stack([np.ones_like(basis), (basis - centre[:, None]) / spread[:, None]], axis=2)
    there = (np.array([float(shape.values(ahead)[0]) for shape in SHAPES]) - centre) / spread
    new = np.stack([np.ones_like(there), there], axis=1)
    within = _apart(covariance)
    typical = float(np.diag(within).mean())
    # Backbones scatter around a law beside their sampling errors: half of the variance is taken to be alike.
    variance = 0.5 * within + 0.5 * typical * np.eye(len(x))
    inverse = np.linalg.inv(variance)
    information = np.einsum("jka,kl,jlb->jab", design, inverse, design)
    covering = np.linalg.inv(information)
    coefficients = np.einsum("jab,jkb,kl,l->ja", covering, design, inverse, effects)
    rest = effects - np.einsum("jka,ja->jk", design, coefficients)
    squared = np.einsum("jk,kl,jl->j", rest, inverse, rest)
    df = len(x) - 2
    floor = 1e-20 * max(1.0, float(np.abs(effects).max())) ** 2 / typical
    squared = np.maximum(squared, floor)
    logs = -0.5 * np.log(np.linalg.det(information)) - 0.5 * df * np.log(squared)
    scale = squared / df
    squares = scale * (np.einsum("ja,jab,jb->j", new, covering, new) + typical)
    return _Components(logs, (new * coefficients).sum(axis=1), squares, scale * typical)


def _apart(covariance: Floats) -> Floats:
    """The covariance without what all sizes have in common, which every form's level takes up."""
    size = len(covariance)
    common = (covariance.sum() - np.trace(covariance)) / (size * (size - 1))
    without = covariance - max(0.0, float(common))
    values, vectors = np.linalg.eigh((without + without.T) / 2.0)
    least = 1e-6 * float(np.diag(covariance).mean())
    return np.asarray((vectors * np.maximum(values, least)) @ vectors.T)


def _weights(logs: Floats, form: Form | None = None) -> Floats:
    """Weights of the shapes: forms are alike beforehand, and so are the shapes of a form."""
    prior = np.array([1.0 / sum(other.form == shape.form for other in SHAPES) for shape in SHAPES])
    prior *= [form in (None, shape.form) for shape in SHAPES]
    weights = prior * np.exp(logs - logs[prior > 0.0].max())
    return np.asarray(weights / weights.sum())


def _mixture(fits: _Components, sizes: int, form: Form | None) -> PredictiveMixture:
    return PredictiveMixture(
        _weights(fits.logs, form), fits.values, np.sqrt(fits.squares), np.full(len(SHAPES), sizes - 2.0)
    )


def _left_out(x: Floats, effects: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Errors and log densities of every form at every size, predicted from the others; shape ``(forms, sizes)``."""
    errors, densities = np.full((2, len(FORMS), len(x)), math.nan)
    for k in range(len(x)):
        others = np.arange(len(x)) != k
        if len(np.unique(x[others])) < FEWEST:
            return np.full_like(errors, math.nan), np.full_like(densities, math.nan)
        kept = covariance[np.ix_(others, others)]
        fits = _components(x[others], effects[others], kept, float(x[k]))
        for row, form in enumerate(FORMS):
            ahead = _mixture(fits, len(x) - 1, form)
            errors[row, k], densities[row, k] = effects[k] - ahead.mean, ahead.log_density(float(effects[k]))
    return errors, densities


def _check(sizes: Floats, values: Floats, covariance: Floats) -> None:
    if values.shape != sizes.shape or covariance.shape != (len(sizes), len(sizes)):
        raise StatisticsError(
            f"law: {len(sizes)} sizes, {len(values)} effects, covariance {covariance.shape}", fix="give one of each"
        )
    if not (np.isfinite(values).all() and np.isfinite(covariance).all() and np.isfinite(sizes).all()):
        raise StatisticsError("law: effects or errors that are not finite", fix="leave unfinished sizes out")
    if not ((sizes > 0.0).all() and (np.diag(covariance) > 0.0).all()):
        raise StatisticsError("law: sizes or variances that are not positive", fix="give parameters and errors")
    if len(np.unique(sizes)) < FEWEST:
        raise StatisticsError(
            f"law: {len(np.unique(sizes))} different sizes; at least {FEWEST} are needed", fix="train one more size"
        )
