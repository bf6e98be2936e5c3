"""The gains of a study by size, as laws are fitted to them: one series for every transfer variant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from adapterxfer.report.display import NONE
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Arm, Study
from adapterxfer.statistics import Contrast, estimates, macro, resample, score
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.laws import FEWEST
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.reach import reach_of

Pair = tuple[str, str]
"""(intermediate, target)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainSeries:
    """Mean gains of one variant on the same tasks at several sizes, smallest first.

    Attributes:
        variant: label of the variant, with its adapter where it has several.
        backbones, parameters: names and sizes (non-embedding parameters where these are known).
        pairs: the (intermediate, target) pairs that every backbone has; their mean is the effect.
        effects, covariance: zero-shot gain in points, and its sampling covariance over test items and training runs.
        seeds: fewest training runs of a system.
        languages, families: zero-shot languages and their families.
        by_language: mean gain of every language over the pairs that have it, shape ``(languages, backbones)``.
        reach: the smallest and the largest mean gain that there can be.
        reach_by_language: the same of the gain in one language.
    """

    variant: str
    backbones: tuple[str, ...]
    parameters: tuple[int, ...]
    pairs: tuple[Pair, ...]
    effects: Floats
    covariance: Floats
    seeds: int
    languages: tuple[str, ...]
    families: tuple[str, ...]
    by_language: Floats
    reach: Bounds
    reach_by_language: Bounds

    @property
    def standard_errors(self) -> Floats:
        """Standard errors of the effects over test items and training runs."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def gain_series(
    study: Study,
    settings: ReportSettings,
    *,
    pairs: Mapping[str, Collection[Pair]] | None = None,
    languages: Collection[str] = (),
) -> tuple[list[GainSeries], dict[str, str]]:
    """The series of every variant that has one.

    Args:
        pairs: variant -> only these pairs; by default those that all of its backbones have, without pairs that share
            text and, where others exist, without targets that are not trained.
        languages: only these; all if empty.

    Returns:
        The series, and variant -> why it has none.
    """
    series, without = [], {}
    for arm in study.arms:
        if pairs is not None and arm.label not in pairs:
            continue
        backbones = [item for item in study.backbones if _pairs_of(study, arm, item.name)]
        common = [_pairs_of(study, arm, item.name) for item in backbones]
        shared = set.intersection(*common) if common else set()
        shared = shared & set(pairs[arm.label]) if pairs is not None else _comparable(study, shared)
        if len({item.size for item in backbones}) < FEWEST:
            without[arm.label] = f"gains at {len({item.size for item in backbones})} sizes; a law needs {FEWEST}"
        elif not shared:
            without[arm.label] = "no pair of intermediate and target task that all sizes have"
        else:
            series.append(
                _series(study, settings, arm, {b.name: b.size for b in backbones}, sorted(shared), set(languages))
            )
    return series, without


def _pairs_of(study: Study, arm: Arm, backbone: str) -> set[Pair]:
    return {
        (intermediate, target)
        for (name, label, intermediate, target) in study.systems
        if (name, label) == (backbone, arm.label)
        and intermediate != NONE
        and target in study.targets
        and study.group(target, "zero-shot", "zero-shot") is not None
        and study.baseline(backbone, arm, target) is not None
    }


def _comparable(study: Study, pairs: set[Pair]) -> set[Pair]:
    kept = {pair for pair in pairs if pair not in study.overlaps}
    return {pair for pair in kept if study.pair_kind(*pair) != "no target training"} or kept


def _series(
    study: Study, settings: ReportSettings, arm: Arm, sizes: Mapping[str, int], pairs: list[Pair], only: set[str]
) -> GainSeries:
    codes = {pair: _languages(study, pair[1], only) for pair in pairs}
    kept = [pair for pair in pairs if codes[pair]]
    languages = tuple(dict.fromkeys(code for pair in kept for code in codes[pair]))
    contrasts = [macro([_gain(study, arm, name, pair, codes[pair]) for pair in kept]) for name in sizes]
    count = len(contrasts)
    for code in languages:
        have = [pair for pair in kept if code in codes[pair]]
        contrasts += [macro([_gain(study, arm, name, pair, (code,)) for pair in have]) for name in sizes]
    replicates = resample(study.table, contrasts[:count], resamples=settings.resamples, seed=settings.seed)
    rows = estimates(study.table, replicates, scope="items+runs", level=settings.level)
    covariance = np.cov(replicates.replicates.T)
    np.fill_diagonal(covariance, np.maximum([row.standard_error**2 for row in rows], np.diag(covariance)))
    by_language = resample(study.table, contrasts[count:], resamples=2, seed=settings.seed).values
    ends = [reach_of(contrast, study.table.metrics) for contrast in contrasts[count:]]
    return GainSeries(
        variant=arm.label, backbones=tuple(sizes), parameters=tuple(sizes.values()), pairs=tuple(kept),
        effects=np.array([row.value for row in rows]), covariance=covariance,
        seeds=min(row.runs for row in rows), languages=languages,
        families=tuple(study.languages[code].family for code in languages),
        by_language=by_language.reshape(len(languages), count), reach=rows[0].reach,
        reach_by_language=Bounds(min(end.low for end in ends), max(end.high for end in ends)),
    )  # fmt: skip


def _languages(study: Study, target: str, only: set[str]) -> tuple[str, ...]:
    group = study.group(target, "zero-shot", "zero-shot")
    assert group is not None
    return tuple(code for code in group.languages if not only or code in only)


def _gain(study: Study, arm: Arm, backbone: str, pair: Pair, languages: tuple[str, ...]) -> Contrast:
    intermediate, target = pair
    treated = study.systems[backbone, arm.label, intermediate, target]
    baseline = study.baseline(backbone, arm, target)
    assert baseline is not None
    return macro([score(treated, target, code) - score(baseline, target, code) for code in languages])
