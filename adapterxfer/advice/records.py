"""What `advise` is told and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE

LOGME = "logme"
TEXT = "text-embeddings"
STEPS = "few-steps"
NLI = "always-nli"
RANDOM = "random"

PREDICTORS = (TEXT, LOGME, STEPS)
BASELINES = (NLI, RANDOM)

NOT_TRAINED = "its intermediate training is not in the store"
NO_TEXTS = "there is no intermediate task whose texts could be compared"
"""Two of the reasons for a missing value."""

TRIES = (1, 3)
"""k of regret@k."""

Pooling = Literal["mean", "first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSettings:
    """Everything that decides the predictions beside recipe and store.

    Attributes:
        examples: most English examples of a task that are looked at.
        rows: most rows of features; words of a tagging task are many more than its sentences.
        layer: whose states are features and texts: ``top``, ``middle``, or a number (0 is the embeddings).
        pooling: sentence features are the ``mean`` over all tokens, or the ``first`` token's state. Texts: always mean.
        steps: optimiser steps of a short run; 0 leaves short runs out.
        seed: of the intermediate trainings looked at, and of the short runs.
        draw: of the examples.

    Raises:
        AdapterxferError: a number is out of range, or layer or pooling is unknown.
    """

    examples: int = 500
    rows: int = 5000
    layer: str = "top"
    pooling: Pooling = "mean"
    steps: int = 20
    seed: int = 1
    draw: int = 0

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; expected at least {least}"
            for name, value, least in (
                ("examples", self.examples, 10), ("rows", self.rows, 10), ("steps", self.steps, 0),
                ("seed", self.seed, 0), ("draw", self.draw, 0),
            )
            if value < least
        ]  # fmt: skip
        if self.layer not in ("top", "middle") and not self.layer.isdecimal():
            problems.append(f"layer is '{self.layer}'; expected top, middle or a number")
        if self.pooling not in ("mean", "first"):
            problems.append(f"pooling is '{self.pooling}'; expected mean or first")
        if problems:
            raise AdapterxferError(f"advise: {'; '.join(problems)}", fix="adapterxfer advise --help")


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScores(Axes):
    """What the predictors say of one intermediate task before one target.

    The adapter is empty for full fine-tuning, and the variant always: several go on from one intermediate model. The
    intermediate task ``none`` is the backbone as it is, which is no candidate.

    Attributes:
        predictions: predictor -> value, higher is better: cosine, log evidence per row of features, or points on
            English development data.
        ranks: predictor -> place among the candidates of the same choice, from 1; equal values share the better place.
        reasons: predictor -> why there is no value.
    """

    predictions: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def choice(self) -> tuple[str, str, str]:
        """What the rows that compete with each other have in common."""
        return (self.backbone, self.adapter, self.target)


def with_ranks(rows: Iterable[CandidateScores]) -> tuple[CandidateScores, ...]:
    """The rows with the rank of each candidate; ``none`` is no candidate and has no rank."""
    every = tuple(rows)
    values: dict[tuple[str, tuple[str, str, str]], list[float]] = {}
    for row in every:
        for predictor, value in row.predictions.items() if row.intermediate != NONE else ():
            values.setdefault((predictor, row.choice), []).append(value)

    def ranks(row: CandidateScores) -> dict[str, int]:
        if row.intermediate == NONE:
            return {}
        return {
            predictor: 1 + sum(other > value for other in values[predictor, row.choice])
            for predictor, value in row.predictions.items()
        }

    return tuple(replace(row, ranks=ranks(row)) for row in every)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorJudgement:
    """How far the choices of one predictor are from the best of the trained matrix.

    Attributes:
        variant: with its adapter, e.g. ``stack seq_bn/2``.
        k: how many of its first candidates are trained.
        regret: mean over cells of best score minus best score among the first k, in points.
        low, high: bootstrap interval; None where there is nothing to resample.
        confidence: of the interval.
        percent: mean over cells of the regret in percent of the best score.
        cells: pairs of backbone and target.
        candidates: fewest and most intermediate tasks of a cell.
        resampled: what the interval resampled.
    """

    variant: str
    predictor: str
    k: int
    regret: float
    low: float | None
    high: float | None
    confidence: float
    percent: float
    cells: int
    candidates: tuple[int, int]
    resampled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What `advise` answers.

    Attributes:
        synthetic: made on the embedded world.
        rows: predictions, by backbone, target, adapter and intermediate.
        refused: target -> why nothing can be said of it.
        judged: regrets against the trained matrix, as far as it is in the store.
        unjudged: why some or all of the matrix was not used.
        seconds: what each predictor took here, and what trainings took that are in the store.
        features: target -> what its rows of features are.
    """

    recipe: str
    synthetic: bool
    protocol: AdviceSettings
    rows: tuple[CandidateScores, ...]
    refused: Mapping[str, str]
    judged: tuple[PredictorJudgement, ...]
    unjudged: tuple[str, ...]
    seconds: Mapping[str, float]
    features: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"schema": 1, **asdict(self)}
