"""Measure the predictors on everything a plan asks, and judge them where its trainings are in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from adapterxfer.advice.judging import ResamplingOptions, judge, trained_choices
from adapterxfer.advice.measuring import Measurer
from adapterxfer.advice.questions import Question, Questions
from adapterxfer.advice.records import Advice, AdviceSettings, CandidateScores, with_ranks
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.data.storage import read_task
from adapterxfer.errors import DataError
from adapterxfer.plan import Plan
from adapterxfer.report.results import Results
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store
from adapterxfer.training.device import device_for, use_one_thread

INTERMEDIATE_TIME = "intermediate trainings in the store"
TARGET_TIME = "target trainings in the store"
_TIMES = {
    "train_intermediate": INTERMEDIATE_TIME,
    "train_target": TARGET_TIME,
    "train_fusion": TARGET_TIME,
}


def advise_plan(
    plan: Plan,
    store: Store,
    questions: Questions,
    protocol: AdviceSettings,
    *,
    folders: Mapping[str, str],
    say: Callable[[str], None],
    device: str = "cpu",
) -> Advice:
    """Answer the questions of a plan whose data are prepared.

    Args:
        questions: of this plan.
        folders: backbone -> folder, for those that come from elsewhere.
        say: takes lines of progress.

    Raises:
        DataError: the plan asks nothing: no trained target, or no intermediate task.
        BackboneError: a backbone cannot be loaded.
    """
    if not questions.questions:
        reasons = "; ".join(questions.refused.values()) or "it has no intermediate task"
        raise DataError(
            f"{plan.recipe.name}: no choice of an intermediate task to advise on ({reasons})",
            fix="name intermediate_tasks and a target that is trained, or narrow less with --only",
        )
    use_one_thread()
    completed = store.completed()
    tasks = {name: read_task(completed[stage.short_key]) for name, stage in questions.data.items()}
    where = str(device_for(device))
    rows: list[CandidateScores] = []
    seconds: dict[str, float] = defaultdict(float)
    features: dict[str, str] = {}
    for name in dict.fromkeys(question.backbone for question in questions.questions):
        mine = [question for question in questions.questions if question.backbone == name]
        measurer = Measurer(
            _backbone_of(mine[0], plan, completed, folders), tasks=tasks, parts=questions.parts, completed=completed,
            protocol=protocol, say=say, device=where,
        )  # fmt: skip
        for question in mine:
            rows += measurer.rows(question)
        for predictor, spent in measurer.seconds.items():
            seconds[predictor] += spent
        features |= measurer.features
    seconds |= _recorded(plan, store, completed)
    results = Results.from_plan(plan, store)
    candidates = {(q.backbone, q.target, q.adapter): q.candidates for q in questions.questions}
    choices, unjudged = trained_choices(results.score_rows(), candidates, source_language=results.source_language)
    if not choices and not unjudged:
        unjudged = ["no target training of the recipe is finished in this store"]
    chosen = plan.recipe.statistics
    judged = judge(
        choices, rows, is_nli=lambda candidate: _is_nli(plan, questions.parts[candidate]),
        sampling=ResamplingOptions(chosen.resamples, chosen.seed, chosen.confidence),
    )  # fmt: skip
    return Advice(
        recipe=plan.recipe.name, synthetic=plan.recipe.synthetic, protocol=protocol, rows=with_ranks(rows),
        refused=questions.refused, judged=tuple(judged), unjudged=tuple(unjudged), seconds=dict(seconds),
        features=features,
    )  # fmt: skip


def _backbone_of(
    question: Question, plan: Plan, completed: Mapping[str, Path], folders: Mapping[str, str]
) -> LoadedBackbone:
    """The backbone that the question's trainings stand on.

    Raises:
        DataError: it is pretrained by the recipe, and that is not done.
    """
    stages = (*question.runs.values(), *question.trained.values())
    stage = stages[0]
    folder: Path | None = None
    if "backbone" in stage.inputs:
        folder = completed.get(stage.inputs["backbone"][:SHORT_KEY])
        if folder is None:
            raise DataError(
                f"{plan.recipe.name}: the pretraining of '{question.backbone}' is not in the store",
                fix="run the recipe first, or narrow with --only backbone=...",
            )
    elif question.backbone in folders:
        folder = Path(folders[question.backbone])
    return load_backbone(stage.identity["backbone"], folder)


def _recorded(plan: Plan, store: Store, completed: Mapping[str, Path]) -> dict[str, float]:
    """Seconds of the plan's finished trainings, as their records say."""
    total: dict[str, float] = defaultdict(float)
    for stage in plan.stages.values():
        if stage.kind in _TIMES and stage.short_key in completed:
            provenance = store.read(completed[stage.short_key]).provenance
            total[_TIMES[stage.kind]] += float(provenance.get("seconds") or 0.0)
    return total


def _is_nli(plan: Plan, parts: tuple[str, ...]) -> bool:
    """Whether all of a candidate's tasks annotate inference."""
    return bool(parts) and all(plan.recipe.task(task).kin == "nli" for task in parts)
