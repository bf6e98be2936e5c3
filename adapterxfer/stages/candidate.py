"""Executor of `train_candidate`: a training with one value of a grid, of which only the English dev score is kept.

Artefacts: ``score.json`` and ``train.jsonl``. A run that diverges has no score, which is a result: it loses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.errors import StageError
from adapterxfer.stages.choose import SCORE_FILE
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.train import TrainLog, run_all
from adapterxfer.stages.training import tasks_of
from adapterxfer.store.keys import Stage
from adapterxfer.training.device import use_one_thread
from adapterxfer.training.loop import TrainResult
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.selection import dev_score
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import SOURCE_LANGUAGE, TrainTask
from adapterxfer.variants.model import TransferModel


def execute(context: StageContext) -> dict[str, Any]:
    """Train with one value and score the result on English development data.

    The score is that of the weights which the training would keep, whatever its selection.

    Raises:
        AdapterxferError: inputs that do not fit together, or an assertion that does not hold.
        StageError: there are no development data, or some in another language.
    """
    use_one_thread()
    identity = context.stage.identity
    phase = identity["phase"]
    tried = {name: value for name, value in identity.items() if name != "phase"}
    alone = replace(context, stage=replace(context.stage, kind=phase["kind"], identity=tried))
    backbone = load_backbone(identity["backbone"], context.backbone_folder, words=False)
    tasks = tasks_of(alone, backbone, TrainSettings.of(identity["settings"]), dev=True)
    languages = english_only(tasks, alone.stage)
    record: dict[str, Any] = {"languages": languages, "dev_score": None, "diverged": ""}
    seconds = 0.0
    with TrainLog(context.scratch / "train.jsonl", context.log) as log:
        try:
            proved, result, _ = run_all(alone, backbone, tasks, log)
            record["dev_score"] = _score(proved.model, tasks, result)
            seconds = result.seconds
        except DivergedError as error:
            record["diverged"] = error.what
    (context.scratch / SCORE_FILE).write_text(json.dumps(record, sort_keys=True) + "\n", encoding="utf-8")
    context.log({"dev_score": record["dev_score"], "diverged": record["diverged"]})
    return {**record, "seconds": round(seconds, 3)}


def english_only(tasks: Sequence[TrainTask], stage: Stage) -> list[str]:
    """The languages of the development data, which are English alone: target languages choose nothing.

    Raises:
        StageError: there are none, or some in another language.
    """
    languages = sorted({example.language for task in tasks if task.dev is not None for example in task.dev.examples})
    if languages != [SOURCE_LANGUAGE]:
        raise StageError(
            f"stage {stage.kind} {stage.short_key}: a choice needs development data in English alone, there are some "
            f"in: {', '.join(languages) or 'no language'}",
            fix="give the task an English dev split, or a number in place of the grid",
        )
    return languages


def _score(model: TransferModel, tasks: Sequence[TrainTask], result: TrainResult) -> float | None:
    """Mean over the tasks with development data, as selection counts it; None for no number."""
    score = result.dev_score
    if score is None:
        scores = [dev_score(model, task) for task in tasks if task.dev is not None]
        score = sum(scores) / len(scores)
    return score if math.isfinite(score) else None
