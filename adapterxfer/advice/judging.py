"""Predictions against the trained matrix: what would have been lost by following them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adapterxfer.advice.records import BASELINES, NLI, PREDICTORS, RANDOM, TRIES, CandidateScores, PredictorJudgement
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.report.results import ScoreRow
from adapterxfer.statistics.regret import mean_over_cells, regret


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedChoice(Axes):
    """A trained choice: the score of every candidate for one variant, backbone and target.

    Attributes:
        scores: candidate -> mean over seeds and zero-shot languages, in points.
    """

    scores: Mapping[str, float]

    @property
    def label(self) -> str:
        """The variant, with its adapter where it has one."""
        return f"{self.variant} {self.adapter}".strip()


class ResamplingOptions(NamedTuple):
    """How the intervals of regrets are resampled; see `Statistics` of the recipe."""

    resamples: int
    seed: int
    confidence: float


def trained_choices(
    scores: Iterable[ScoreRow], candidates: Mapping[tuple[str, str, str], Sequence[str]], *, source_language: str
) -> tuple[list[TrainedChoice], list[str]]:
    """Choices whose candidates are all trained, and a line on each that is not.

    Scores are means over the seeds that all candidates share, so none is favoured by a lucky seed of its own.

    Args:
        candidates: (backbone, target, adapter) -> candidates.
        source_language: left out of the means.
    """
    cells: dict[tuple[str, str, str, str], dict[str, dict[int, list[float]]]] = {}
    for row in scores:
        if row.control or row.language == source_language or row.intermediate in (NONE, POOL):
            continue
        key = (row.variant, row.adapter, row.backbone, row.target)
        cells.setdefault(key, {}).setdefault(row.intermediate, {}).setdefault(row.seed, []).append(row.score)
    choices, lines = [], []
    for (variant, adapter, backbone, target), trained in cells.items():
        names = candidates.get((backbone, target, adapter), ())
        where = f"{variant} {adapter}".strip() + f", {backbone}, {target}"
        if len(names) < 2:
            if names:
                lines.append(f"{where}: {names[0]} is the only candidate, so there is no choice")
            continue
        lacking = [name for name in names if name not in trained]
        if lacking:
            lines.append(f"{where}: {', '.join(lacking)} not finished")
            continue
        seeds = set.intersection(*(set(trained[name]) for name in names))
        if not seeds:
            lines.append(f"{where}: no seed is finished for all of {', '.join(names)}")
            continue
        means = {name: float(np.mean([np.mean(trained[name][seed]) for seed in sorted(seeds)])) for name in names}
        choices.append(TrainedChoice(variant=variant, adapter=adapter, backbone=backbone, target=target, scores=means))
    return choices, lines


def judge(
    choices: Sequence[TrainedChoice],
    rows: Iterable[CandidateScores],
    *,
    is_nli: Callable[[str], bool],
    sampling: ResamplingOptions,
) -> Iterator[PredictorJudgement]:
    """Regrets of every predictor and baseline by variant; a predictor is judged where it values all candidates.

    Args:
        is_nli: whether a candidate is inference alone; the baseline takes it first and the others at random.
    """
    said = {(row.backbone, row.target, row.adapter, row.intermediate): row.predictions for row in rows}
    for label in dict.fromkeys(choice.label for choice in choices):
        mine = [choice for choice in choices if choice.label == label]
        for predictor in (*PREDICTORS, *BASELINES):
            predicted: dict[int, list[float]] = {}
            for index, choice in enumerate(mine):
                values = [_value(predictor, name, choice, said, is_nli) for name in choice.scores]
                if None not in values and not (predictor == NLI and not any(values)):
                    predicted[index] = [float(value) for value in values if value is not None]
            for k in TRIES:
                if judged := _judged(label, predictor, k, mine, predicted, sampling):
                    yield judged


def _value(
    predictor: str,
    name: str,
    choice: TrainedChoice,
    said: Mapping[tuple[str, str, str, str], Mapping[str, float]],
    is_nli: Callable[[str], bool],
) -> float | None:
    if predictor == RANDOM:
        return 0.0
    if predictor == NLI:
        return float(is_nli(name))
    return said.get((choice.backbone, choice.target, choice.adapter, name), {}).get(predictor)


def _judged(
    label: str, predictor: str, k: int, choices: Sequence[TrainedChoice], predicted: Mapping[int, list[float]],
    sampling: ResamplingOptions,
) -> PredictorJudgement | None:  # fmt: skip
    """Mean regret over the cells with more candidates than tries: in the others nothing can be lost."""
    cells = [(choices[index], values) for index, values in predicted.items() if len(values) > k]
    if not cells:
        return None
    backbones = list(dict.fromkeys(choice.backbone for choice, _ in cells))
    targets = list(dict.fromkeys(choice.target for choice, _ in cells))
    points = np.full((len(backbones), len(targets)), np.nan)
    percent = points.copy()
    for choice, values in cells:
        at = backbones.index(choice.backbone), targets.index(choice.target)
        true = list(choice.scores.values())
        points[at] = regret(values, true, k)
        percent[at] = 100 * points[at] / max(true) if max(true) > 0 else 0.0
    mean = mean_over_cells(
        points, names=("backbones", "targets"), resamples=sampling.resamples, seed=sampling.seed,
        confidence=sampling.confidence,
    )  # fmt: skip
    counts = [len(values) for _, values in cells]
    return PredictorJudgement(
        variant=label, predictor=predictor, k=k, regret=mean.estimate, low=mean.low, high=mean.high,
        confidence=sampling.confidence, percent=float(np.nanmean(percent)), cells=mean.cells,
        candidates=(min(counts), max(counts)), resampled=mean.resampled,
    )  # fmt: skip
