"""Questions as weighted sums of cells: differences, gains, macro means, interactions and slopes.

A `Contrast` maps cells to weights. Contrasts add, subtract and scale, so every question of the study is built from
`score` by arithmetic and all of them are answered from the same replicates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.table import Label, ScoreCell, System
from adapterxfer.statistics.vocabulary import Scale


@dataclass(frozen=True, slots=True)
class Contrast:
    """A linear combination of cell scores.

    Attributes:
        terms: cell -> weight.
        name: for tables and messages.
        labels: what the row is about (backbone, variant, family, ...), carried to the estimate untouched.
        scale: transform of every run's score before it is weighted.
        flags: warnings that belong to the question, not to the data.
        seeds: only these training runs, where others were used up to choose what is asked; empty for all of them.
            What was not trained stays.
    """

    terms: Mapping[ScoreCell, float]
    name: str = ""
    labels: Mapping[str, Label] = field(default_factory=dict)
    scale: Scale = "points"
    flags: tuple[str, ...] = ()
    seeds: frozenset[int | str] = frozenset()

    def __add__(self, other: Contrast) -> Contrast:
        return self._combine(other, 1.0)

    def __sub__(self, other: Contrast) -> Contrast:
        return self._combine(other, -1.0)

    def __mul__(self, factor: float) -> Contrast:
        return replace(self, terms={cell: factor * weight for cell, weight in self.terms.items()})

    __rmul__ = __mul__

    def __neg__(self) -> Contrast:
        return self * -1.0

    def named(self, name: str, **labels: Label) -> Contrast:
        """The same question under another name, with more labels."""
        return replace(self, name=name, labels={**self.labels, **labels})

    def on(self, scale: Scale) -> Contrast:
        """The same question on another scale."""
        return replace(self, scale=scale)

    def _combine(self, other: Contrast, factor: float) -> Contrast:
        if self.scale != other.scale:
            raise StatisticsError(
                f"contrasts on different scales: {self.name} in {self.scale}, {other.name} in {other.scale}",
                fix="put both on one scale with .on(scale) first",
            )
        if self.seeds != other.seeds:
            raise StatisticsError(
                f"contrasts of different runs: {self.name} and {other.name}", fix="limit both to the same seeds"
            )
        terms = dict(self.terms)
        for cell, weight in other.terms.items():
            terms[cell] = terms.get(cell, 0.0) + factor * weight
        shared = {name: value for name, value in self.labels.items() if other.labels.get(name) == value}
        flags = tuple(dict.fromkeys(self.flags + other.flags))
        return Contrast(
            {cell: weight for cell, weight in terms.items() if weight != 0.0},
            "",
            shared,
            self.scale,
            flags,
            self.seeds,
        )


def score(system: System, target: str, language: str) -> Contrast:
    """The score of one cell, the mean over its runs."""
    cell = ScoreCell(system, target, language)
    labels: dict[str, Label] = {**dict(system.labels), "target": target, "language": language}
    return Contrast({cell: 1.0}, str(cell), labels)


def macro(contrasts: Sequence[Contrast], name: str = "", **labels: Label) -> Contrast:
    """The plain mean of contrasts: over languages, families, targets. Every one counts the same.

    Raises:
        StatisticsError: nothing to average.
    """
    if not contrasts:
        raise StatisticsError(f"mean {name or 'of contrasts'}: nothing to average", fix="leave an empty group out")
    return linear(contrasts, [1.0 / len(contrasts)] * len(contrasts)).named(name, **labels)


def difference(first: Contrast, second: Contrast, name: str = "", **labels: Label) -> Contrast:
    """``first - second``, paired: both are computed on the same items in every replicate."""
    return (first - second).named(name or f"{first.name} - {second.name}", **labels)


def gain(
    treated: System, baseline: System, target: str, languages: Sequence[str], name: str = "", **labels: Label
) -> Contrast:
    """Score with the intermediate task minus score without it, in points, averaged over languages.

    Args:
        treated: the system with intermediate training.
        baseline: the same with intermediate `none`.
        languages: one for the gain in a language, several for their macro mean.
    """
    parts = [score(treated, target, language) - score(baseline, target, language) for language in languages]
    about: dict[str, Label] = {**dict(treated.labels), "target": target, **labels}
    return replace(macro(parts, name or f"gain {treated} {target}"), labels=about)


def slope_weights(parameters: Sequence[float], series: Sequence[str] | None = None) -> tuple[float, ...]:
    """Weights ``(x - mean x) / Sxx`` with x = log10(parameters): the least-squares slope per tenfold parameters.

    Args:
        parameters: parameter counts.
        series: pretraining series of each; every series then has its own intercept, and sizes are compared within
            series only.

    Raises:
        StatisticsError: fewer than two different sizes (within some series), or a size that is not positive.
    """
    if any(not value > 0 for value in parameters):
        raise StatisticsError("slope: a parameter count that is not positive", fix="give the total parameters")
    names = list(series) if series is not None else [""] * len(parameters)
    if len(names) != len(parameters):
        raise StatisticsError(f"slope: {len(names)} series for {len(parameters)} sizes", fix="give one series each")
    logs = [math.log10(value) for value in parameters]
    members = {name: [log for log, label in zip(logs, names, strict=True) if label == name] for name in names}
    means = {name: math.fsum(logs_of_one) / len(logs_of_one) for name, logs_of_one in members.items()}
    centred = [log - means[name] for log, name in zip(logs, names, strict=True)]
    if all(len(set(logs_of_one)) < 2 for logs_of_one in members.values()):
        raise StatisticsError("slope: fewer than two different sizes", fix="a slope needs at least two sizes")
    spread = math.fsum(value**2 for value in centred)
    return tuple(value / spread for value in centred)


def slope(
    contrasts: Sequence[Contrast],
    parameters: Sequence[float],
    name: str = "",
    *,
    series: Sequence[str] | None = None,
    **labels: Label,
) -> Contrast:
    """Change per tenfold parameters of a quantity measured at several sizes; of gains, the marginal gain.

    Args:
        contrasts: one per size.
        parameters: parameter counts in the same order; several backbones may have the same size.
        series: pretraining series of each backbone, where several are joined: each has its own intercept.
    """
    if len(contrasts) != len(parameters):
        raise StatisticsError(
            f"slope: {len(contrasts)} contrasts for {len(parameters)} sizes", fix="give one parameter count each"
        )
    weights = slope_weights(parameters, series)
    result = linear(contrasts, weights).named(name or "slope on log10 parameters", **labels)
    return replace(result, flags=(*result.flags, "two-points")) if len(set(parameters)) == 2 else result


def linear(contrasts: Sequence[Contrast], weights: Sequence[float]) -> Contrast:
    """``sum of weight * contrast``; keeps the labels on which all agree."""
    if len(contrasts) != len(weights):
        raise StatisticsError(f"{len(contrasts)} contrasts for {len(weights)} weights", fix="give one weight each")
    terms: dict[ScoreCell, float] = {}
    for contrast, weight in zip(contrasts, weights, strict=True):
        if contrast.scale != contrasts[0].scale:
            raise StatisticsError(
                f"contrasts on different scales: {contrast.scale} and {contrasts[0].scale}",
                fix="put all on one scale with .on(scale) first",
            )
        if contrast.seeds != contrasts[0].seeds:
            raise StatisticsError("contrasts of different runs", fix="limit all to the same seeds")
        for cell, value in contrast.terms.items():
            terms[cell] = terms.get(cell, 0.0) + weight * value
    first = contrasts[0].labels
    shared = {key: value for key, value in first.items() if all(c.labels.get(key) == value for c in contrasts)}
    flags = tuple(dict.fromkeys(flag for contrast in contrasts for flag in contrast.flags))
    kept = {cell: value for cell, value in terms.items() if value != 0.0}
    return Contrast(kept, "", shared, contrasts[0].scale, flags, contrasts[0].seeds)
