"""What is asked of a plan: targets, candidates before each, and the stages that hold data and trained models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapterxfer.catalog import UNTRAINED, VARIANTS
from adapterxfer.catalog.variants import alone, variants_of
from adapterxfer.errors import AdapterxferError
from adapterxfer.plan import Plan
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.store.keys import Stage

CONTINUED = tuple(
    sorted(
        variants_of(lambda variant: variant.training and not variant.control),
        key=lambda name: VARIANTS[name].adapters and VARIANTS[name].continues,
    )
)
"""Variants whose target training a short run can imitate, the preferred of two first."""

FULL, FRESH = alone(adapter=False).name, alone(adapter=True).name
"""Labels of full fine-tuning, and of a target adapter alone, which every adapter variant has in place of `none`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Axes):
    """The choice of an intermediate task for one target, backbone and adapter (empty for full fine-tuning).

    Attributes:
        candidates: intermediate tasks, in recipe order.
        trained: candidate -> stage of its intermediate training.
        runs: candidate or ``none`` -> stage of the target training on top of it.
    """

    candidates: tuple[str, ...]
    trained: Mapping[str, Stage]
    runs: Mapping[str, Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """All choices of an intermediate task that a plan asks about.

    Attributes:
        questions: by backbone, target and adapter.
        refused: target -> why it has no question.
        data: task -> stage that prepares its examples.
        parts: candidate -> tasks it trains on.
    """

    questions: tuple[Question, ...]
    refused: Mapping[str, str]
    data: Mapping[str, Stage]
    parts: Mapping[str, tuple[str, ...]]


def questions_of(plan: Plan, *, seed: int) -> Questions:
    """The questions of a plan; candidates are single and joint intermediate trainings, not pools of them.

    Args:
        seed: of the trainings that are looked at.

    Raises:
        AdapterxferError: the recipe has no such seed.
    """
    recipe = plan.recipe
    if seed not in recipe.seeds:
        raise AdapterxferError(
            f"advise: seed {seed} is not one of the recipe's ({', '.join(map(str, recipe.seeds))})",
            fix="name one of its seeds",
        )
    refused = {
        target: f"nothing is trained on {target}, so there are no English examples to look at"
        for target in recipe.target_tasks
        if not recipe.task(target).trained
    }
    data: dict[str, Stage] = {}
    trained: dict[tuple[str, str, str], Stage] = {}
    runs: dict[tuple[str, str, str, str, str], Stage] = {}
    for stage in plan.stages.values():
        labels = stage.labels
        who = (str(labels.get("backbone")), str(labels.get("adapter") or ""), str(labels.get("intermediate")))
        if stage.kind == "prepare" and stage.identity.get("what") == "task":
            # The first of a task is its own; later ones hold the words of another evaluation.
            data.setdefault(str(stage.identity["task"]), stage)
        elif stage.kind == "reuse_intermediate" or (stage.kind == "train_intermediate" and labels.get("seed") == seed):
            trained[who] = stage
        elif stage.kind == "train_target" and labels.get("seed") == seed and not labels.get("control"):
            runs[*who, str(labels["target"]), str(labels["variant"])] = stage
    candidates: dict[tuple[str, str, str], dict[str, None]] = {}
    for cell in plan.cells:
        single = cell.intermediate not in (NONE, POOL)
        if cell.control or not single or cell.backbone.endswith(UNTRAINED) or cell.target in refused:
            continue
        if cell.target in recipe.target_tasks:
            candidates.setdefault((cell.backbone, cell.target, cell.adapter), {})[cell.intermediate] = None
    questions = []
    for (backbone, target, adapter), names in candidates.items():
        before = {name: trained[backbone, adapter, name] for name in names if (backbone, adapter, name) in trained}
        after: dict[str, Stage] = {}
        for name in (NONE, *names):
            for variant in CONTINUED if name != NONE else (FULL, FRESH):
                if (run := runs.get((backbone, adapter, name, target, variant))) is not None:
                    after.setdefault(name, run)
        questions.append(
            Question(
                backbone=backbone,
                target=target,
                adapter=adapter,
                seed=seed,
                candidates=tuple(names),
                trained=before,
                runs=after,
            )
        )
    parts = {name: recipe.parts_of(name) for question in questions for name in question.candidates}
    needed = {question.target for question in questions}.union(*parts.values())
    data = {name: stage for name, stage in data.items() if name in needed}
    return Questions(questions=tuple(questions), refused=refused, data=data, parts=parts)
