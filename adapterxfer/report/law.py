"""Laws of the gains of a study, and what they say about a size, a family or a language that was not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapterxfer.errors import StatisticsError
from adapterxfer.report.law_data import GainSeries
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.law_families import Families, fit_families
from adapterxfer.statistics.laws import FEWEST_LEFT_OUT, Form, Laws, PredictiveMixture, fit_laws
from adapterxfer.statistics.reach import within


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One prediction of a measured gain, in points.

    Attributes:
        kind: ``mean`` of the languages, a ``family``, or a ``language`` that was not measured.
        name: of the family or language; empty for the mean.
        family: of the language; empty where it is not among those measured.
        forms: form -> its value and interval alone; for the mean only.
        distribution: of the measured gain.
    """

    kind: str
    name: str
    family: str
    parameters: float
    value: float
    low: float
    high: float
    forms: Mapping[Form, tuple[float, float, float]]
    distribution: PredictiveMixture


@dataclass(frozen=True, slots=True, kw_only=True)
class LawOfGain:
    """The laws of one variant and their predictions.

    Attributes:
        families: None where there are not enough families or languages, for the reason in `notes`.
    """

    series: GainSeries
    laws: Laws
    families: Families | None
    expected: tuple[Expected, ...]
    notes: tuple[str, ...]


def law_of_gain(
    series: GainSeries,
    *,
    at: Sequence[float] = (),
    languages: Mapping[str, str] | None = None,
    tokens: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> LawOfGain:
    """Fit the laws of one variant and predict.

    Args:
        at: parameters of backbones to predict for, counted as in the series.
        languages: code -> family of languages that were not measured; a family that is not known is a new one.
        tokens: code -> amount of text, of all languages measured and of those asked for.
        level: of the intervals.

    Raises:
        StatisticsError: the series cannot carry what is asked.
    """
    laws = fit_laws(series.parameters, series.effects.tolist(), series.covariance)
    notes = [*_notes(series, laws)]
    families, reason = _families(series, tokens)
    if families is None and languages:
        raise StatisticsError(f"{series.variant}: no prediction for a language: {reason}", fix="leave --language out")
    notes += [reason] if reason else []
    expected: list[Expected] = []
    for size in at:
        prediction = laws.predict(size, level=level)
        mixture = laws.mixture(size)
        forms: dict[Form, tuple[float, float, float]] = {
            form: (value, *within(low, high, series.reach)) for form, (value, low, high) in prediction.forms.items()
        }
        mean = _expected(("mean", "", ""), size, mixture, level, reach=series.reach, forms=forms)
        expected.append(mean)
        for name in families.names if families is not None else ():
            assert families is not None
            shifted = mixture.widened(*families.family(name, size))
            expected.append(_expected(("family", name, name), size, shifted, level, reach=series.reach_by_language))
        for code, family in (languages or {}).items():
            assert families is not None
            known = family if family in families.names else None
            amount = tokens[code] if tokens is not None and code in tokens else None
            shifted, subject = mixture.widened(*families.unseen(known, size, amount)), ("language", code, known or "")
            expected.append(_expected(subject, size, shifted, level, reach=series.reach_by_language))
        notes += [_beyond(series, size)] if _beyond(series, size) else []
    return LawOfGain(series=series, laws=laws, families=families, expected=tuple(expected), notes=tuple(notes))


def _expected(
    subject: tuple[str, str, str],
    size: float,
    mixture: PredictiveMixture,
    level: float,
    *,
    reach: Bounds,
    forms: Mapping[Form, tuple[float, float, float]] | None = None,
) -> Expected:
    """One prediction, for a subject given by its kind, its name and its language family."""
    kind, name, family = subject
    tail = (1.0 - level) / 2.0
    low, high = within(mixture.quantile(tail), mixture.quantile(1.0 - tail), reach)
    return Expected(
        kind=kind, name=name, family=family, parameters=size, value=mixture.quantile(0.5),
        low=low, high=high, forms=forms or {}, distribution=mixture,
    )  # fmt: skip


def _families(series: GainSeries, tokens: Mapping[str, float] | None) -> tuple[Families | None, str]:
    amounts = None
    if tokens is not None:
        lacking = [code for code in series.languages if not tokens.get(code, 0.0) > 0.0]
        if lacking:
            raise StatisticsError(
                f"{series.variant}: no amount of text for {', '.join(lacking)}", fix="give one, or leave --text out"
            )
        amounts = [tokens[code] for code in series.languages]
    try:
        return fit_families(series.parameters, series.by_language, series.families, amounts), ""
    except StatisticsError as error:
        if tokens is not None:
            raise
        return None, f"families are not told apart: {error.what}"


def _notes(series: GainSeries, laws: Laws) -> list[str]:
    notes = []
    different = len(set(series.parameters))
    if different < FEWEST_LEFT_OUT:
        notes.append(
            f"{different} sizes: none can be left out, so the forms cannot be compared; three sizes decide no law"
        )
    elif not laws.told_apart:
        notes.append("the sizes cannot tell the forms apart: predictions average over all of them")
    if series.seeds == 1:
        notes.append("single training runs: how much another seed changes is in the deviations from the law only")
    return notes


def _beyond(series: GainSeries, size: float) -> str:
    logs = [math.log10(value) for value in series.parameters]
    away = max(min(logs) - math.log10(size), math.log10(size) - max(logs))
    if away <= 0.5 * (max(logs) - min(logs)):
        return ""
    return (
        f"{size:.3g} parameters lie {away:.1f} powers of ten beyond the sizes at hand, more than half of their range: "
        "the interval holds if one of the three forms goes on"
    )
