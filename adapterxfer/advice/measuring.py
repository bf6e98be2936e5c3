"""The values of the three predictors for the questions of one backbone; nothing is computed twice."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from adapterxfer.advice.features import Array, Labelled, cosine, forward_of, label_features, task_embedding
from adapterxfer.advice.questions import FULL, Question
from adapterxfer.advice.records import LOGME, NO_TEXTS, NOT_TRAINED, STEPS, TEXT, AdviceSettings, CandidateScores
from adapterxfer.advice.short_run import short_run
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.fields import NONE
from adapterxfer.statistics.logme import logme
from adapterxfer.store.keys import SHORT_KEY, Stage


class Measurer:
    """Measures the predictors for the questions of one backbone.

    Args:
        backbone: frozen and shared.
        tasks: task -> its prepared data.
        parts: candidate -> tasks it trains on.
        completed: short key -> folder of every finished stage.
        say: takes one line whenever something took its time.
        device: where to compute.

    Attributes:
        seconds: predictor -> time spent.
        features: target -> what its rows of features are.
    """

    def __init__(
        self,
        backbone: LoadedBackbone,
        *,
        tasks: Mapping[str, StoredTask],
        parts: Mapping[str, tuple[str, ...]],
        completed: Mapping[str, Path],
        protocol: AdviceSettings,
        say: Callable[[str], None],
        device: str,
    ) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.features: dict[str, str] = {}
        self._backbone, self._tasks, self._parts, self._completed = backbone, tasks, parts, completed
        self._protocol, self._say, self._device = protocol, say, device
        self._embeddings: dict[str, Array] = {}
        self._plain: dict[str, tuple[float | None, str]] = {}

    def rows(self, question: Question) -> Iterator[CandidateScores]:
        """The backbone as it is (``none``), then every candidate."""
        for name in (NONE, *question.candidates):
            values: dict[str, float] = {}
            reasons: dict[str, str] = {}
            measures = {TEXT: self._text, LOGME: self._logme, STEPS: self._steps}
            for predictor, measure in measures.items():
                if predictor == STEPS and not self._protocol.steps:
                    reasons[predictor] = "short runs were left out"
                    continue
                with self._timed(predictor, question, name):
                    value, reason = _attempt(measure, question, name)
                if value is None:
                    reasons[predictor] = reason
                else:
                    values[predictor] = value
            yield CandidateScores(
                backbone=question.backbone, target=question.target, adapter=question.adapter, intermediate=name,
                seed=question.seed, predictions=values, reasons=reasons,
            )  # fmt: skip

    @contextmanager
    def _timed(self, predictor: str, question: Question, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        took = time.perf_counter() - began
        self.seconds[predictor] += took
        if took > 0.5:
            how = question.adapter or FULL
            self._say(f"{question.backbone} {name}>{question.target} {how}: {predictor}, {took:.1f} s")

    def _text(self, question: Question, name: str) -> float | str:
        if name == NONE:
            return NO_TEXTS
        target = self._embedding(question.target)
        return cosine(np.mean([self._embedding(task) for task in self._parts[name]], axis=0), target)

    def _embedding(self, task: str) -> Array:
        if task not in self._embeddings:
            forward = forward_of(self._backbone, None, self._protocol, device=self._device)
            self._embeddings[task] = task_embedding(
                forward, self._backbone, self._tasks[task], self._protocol, device=self._device
            )
        return self._embeddings[task]

    def _logme(self, question: Question, name: str) -> float | str:
        if name == NONE:
            if question.target not in self._plain:
                self._plain[question.target] = _attempt(
                    lambda choice, _: self._evidence(choice.target, None), question, ""
                )
            value, reason = self._plain[question.target]
            return reason if value is None else value
        folder = self._folder(question.trained.get(name))
        return NOT_TRAINED if folder is None else self._evidence(question.target, folder)

    def _evidence(self, target: str, folder: Path | None) -> float:
        forward = forward_of(self._backbone, folder, self._protocol, device=self._device)
        rows: Labelled = label_features(
            forward, self._backbone, self._tasks[target], self._protocol, device=self._device
        )
        self.features[target] = rows.described
        return logme(rows.features, rows.labels)

    def _steps(self, question: Question, name: str) -> float | str:
        stage = question.runs.get(name)
        if stage is None:
            return "no variant of the recipe goes on from the intermediate model itself (stack, sequential, full-ft)"
        inputs = {}
        for role in ("intermediate", "language"):
            if role in stage.inputs:
                folder = self._completed.get(stage.inputs[role][:SHORT_KEY])
                if folder is None:
                    return NOT_TRAINED if role == "intermediate" else "the adapter of English is not in the store"
                inputs[role] = folder
        task = self._tasks[question.target]
        return short_run(stage, inputs, self._backbone, task, self._protocol, device=self._device)

    def _folder(self, stage: Stage | None) -> Path | None:
        return None if stage is None else self._completed.get(stage.short_key)


def _attempt(
    measure: Callable[[Question, str], float | str], question: Question, name: str
) -> tuple[float | None, str]:
    """A value, or why there is none: one target that cannot be measured does not stop the others."""
    try:
        result = measure(question, name)
    except AdapterxferError as error:
        return None, error.what
    return (None, result) if isinstance(result, str) else (result, "")
