"""What a study knows about one trained model: `results.json` of its bundle. Torch-free.

Scores are those of the bundled model itself, with intervals over test items. Gains are those of the study, over all its
seeds, with the verdict and the corrected p-value of its report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.catalog import ORACLE, Task, base_target, tasks, world_languages
from adapterxfer.catalog.declared import DECLARED, stated
from adapterxfer.catalog.stand_ins import stand_in, stand_in_name
from adapterxfer.hub.benchmarks import benchmark_places, with_places
from adapterxfer.hub.licences import facts_of
from adapterxfer.plan import Cell, Plan
from adapterxfer.plan.choosing import ROLE, choices_made
from adapterxfer.recipe.axes import AXES, Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.report.content import Effect, columns
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results, cell_of
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study, build_study
from adapterxfer.statistics import Contrast, estimates, macro, resample, score
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.kinds import CHOICE, MERGED, TRAINING
from adapterxfer.store.store import Store

SCHEMA = 1
_GAIN_AXES = tuple(axis for axis in reversed(AXES) if axis in columns(Effect) and axis != "backbone")
_GAIN_FIELDS = (*_GAIN_AXES, "estimate", "low", "high", "p_adjusted", "verdict", "remark", "seeds")
TRAINING_KINDS = (*TRAINING, MERGED)


def cells_of(plan: Plan, key: str) -> list[Cell]:
    """Cells whose predictions come from one trained model; the first one of each target."""
    cells: dict[str, Cell] = {}
    for cell in plan.cells:
        if plan.stages[cell.predict].inputs.get("model") == key and not cell.control.startswith(ORACLE):
            cells.setdefault(cell.target, cell)
    return list(cells.values())


def lineage(plan: Plan, key: str) -> list[dict[str, Any]]:
    """The stage of a model and everything before it, nearest first, each once.

    Of a choice by development data the runs that were compared stay out: nothing of their weights is in the model.
    """
    entries: dict[str, dict[str, Any]] = {}
    queue = [("self", key)]
    while queue:
        role, current = queue.pop(0)
        if current in entries:
            continue
        stage = plan.stages[current]
        entries[current] = {
            "role": role,
            "kind": stage.kind,
            "key": current,
            "slug": stage.slug,
            "labels": dict(stage.labels),
        }
        queue += [] if stage.kind == CHOICE else list(stage.inputs.items())
    return list(entries.values())


def chosen_settings(plan: Plan, store: Store, key: str) -> list[dict[str, Any]]:
    """What English development data chose for a model and for what it was trained on before, nearest first."""
    rows = []
    done = store.completed()
    for ancestor in lineage(plan, key):
        stage = plan.stages[ancestor["key"]]
        if (choice := stage.inputs.get(ROLE)) is None or choice[:SHORT_KEY] not in done:
            continue
        for made in choices_made([plan.stages[choice]], done):
            rows += [
                {"phase": stage.kind.removeprefix("train_"), "setting": name, "value": value,
                 "grid": list(made.grid[name])}
                for name, value in (made.chosen or {}).items()
            ]  # fmt: skip
    return rows


def collect_results(plan: Plan, store: Store, key: str, *, encoder: bool = False) -> dict[str, Any]:
    """Content of ``results.json`` for a model of a finished or unfinished study.

    Args:
        plan: of the whole recipe, so that p-values are corrected as in its report.
        key: of the training stage.
        encoder: the bundle holds the encoder, so that what it was pretrained on counts as training data.

    Raises:
        DataError: predictions of one target do not fit together.
    """
    cells = cells_of(plan, key)
    settings = _settings(plan)
    done = store.completed()
    folders = {cell.predict: done[cell.predict[:SHORT_KEY]] for cell in cells if cell.predict[:SHORT_KEY] in done}
    report = plan.report.identity if plan.report is not None else {}
    results = Results.from_folders(
        map(cell_of, cells), folders, languages=report.get("languages"), declared=report.get("tasks")
    )
    scores = _scores(build_study(results), results, settings) if results.cells else []
    scores = with_places(scores, {} if settings.synthetic else benchmark_places(plan, cells))
    training = _training(plan, store, key, encoder=encoder)
    chosen = chosen_settings(plan, store, key)
    return {
        **({"chosen": chosen} if chosen else {}),
        "schema": SCHEMA,
        "title": settings.title,
        "synthetic": settings.synthetic,
        "level": settings.level,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "source_language": results.source_language,
        "languages": _languages(results, synthetic=settings.synthetic),
        "scores": scores,
        "gains": _gains(plan, store, cells, settings),
        "training": training,
        **({"declared": declared} if (declared := _declared(plan, cells, training)) else {}),
        "stand_ins": _stand_ins(plan, [cell.target for cell in cells] + [str(row["task"]) for row in training]),
    }


def _declared(plan: Plan, cells: Sequence[Cell], training: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the recipe says of the tasks of its own that a model was trained or tested on."""
    used = {base_target(cell.target) for cell in cells} | {str(row["task"]) for row in training}
    declared = {name: task for name, task in sorted(plan.recipe.declared_tasks().items()) if name in used}
    return {name: {**stated(task), "pairs": plan.recipe.reads_pairs(name)} for name, task in declared.items()}


def _repository(stage: Stage, task: Task | None) -> str | None:
    """The repository of the training data; None where they are files, or nobody says."""
    if task is None or stage.identity["source"]["kind"] != "hub":
        return None
    declared = stage.identity.get(DECLARED)
    return str(declared["hub"]["train"]["repository"]) if declared else task.hub


def _stand_ins(plan: Plan, names: Sequence[str]) -> dict[str, str]:
    """Real task -> the made-up task that stands in for it, where the recipe runs on the synthetic world."""
    real = [name for name in names if plan.recipe.spec(name) is not None]
    made_up_by = {name: plan.recipe.task(name).stand_in for name in real}
    return {name: made_up for name, made_up in sorted(made_up_by.items()) if made_up}


def _settings(plan: Plan) -> ReportSettings:
    stage = plan.report
    return ReportSettings.from_identity(stage.identity if stage is not None else {})


def _scores(study: Study, results: Results, settings: ReportSettings) -> list[dict[str, Any]]:
    contrasts: list[Contrast] = []
    rows: list[dict[str, Any]] = []
    # Models on untrained backbones are controls of a study; on their own card they are what was evaluated.
    systems = [(key[-1], system) for key, system in (*study.systems.items(), *study.controls.items())]
    for target, system in systems:
        data = results.target(target) if target in results.targets else None
        for group in study.groups[target]:
            if group.kind not in ("zero-shot", "source", "language"):
                continue
            contrasts.append(macro([score(system, target, language) for language in group.languages]))
            rows.append(
                {
                    "target": target,
                    "metric": data.metric.name if data else target,
                    "protocol": data.protocol if data else "",
                    "secondary": target in study.secondary,
                    "group": group.kind,
                    "language": group.name,
                    "languages": len(group.languages),
                }
            )
    if not contrasts:
        return []
    replicates = resample(study.table, contrasts, resamples=settings.resamples, seed=settings.seed)
    for row, estimate in zip(
        rows, estimates(study.table, replicates, scope="items", level=settings.level), strict=True
    ):
        row |= {
            "score": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
            "clusters": estimate.clusters,
        }
    order = {"zero-shot": 0, "source": 1, "language": 2}
    return sorted(rows, key=lambda row: (row["secondary"], row["target"], order[row["group"]], row["language"]))


def _gains(plan: Plan, store: Store, cells: Sequence[Cell], settings: ReportSettings) -> list[dict[str, Any]]:
    """Zero-shot gains of the bundled variant over the same variant without its intermediate task."""
    cells_by_pair = {_pair(cell): cell for cell in cells if cell.intermediate != NONE}
    if not cells_by_pair:
        return []
    rows = []
    for effect in _effects(plan, store, settings):
        cell = cells_by_pair.get(_pair(Axes(**{axis: effect[axis] for axis in AXES if axis in effect})))
        if cell is None or effect["kind"] != "gain" or effect["group_kind"] != "zero-shot":
            continue
        variant, _, adapter = str(effect["variant"]).partition(" ")
        if variant == cell.variant and adapter in ("", cell.adapter):
            rows.append({name: effect.get(name, "") for name in _GAIN_FIELDS})
    return rows


def _pair(axes: Axes) -> Axes:
    """The axes a gain belongs to; the variant is matched apart, because tables name it with its adapter."""
    return Axes(backbone=axes.backbone, intermediate=axes.intermediate, target=axes.target)


def _effects(plan: Plan, store: Store, settings: ReportSettings) -> list[Mapping[str, Any]]:
    """From the report of the study where it is finished, else computed from what is."""
    stage = plan.report
    folder = store.completed().get(stage.key[:SHORT_KEY]) if stage is not None else None
    if folder is not None and (folder / "report.json").is_file():
        return list(json.loads((folder / "report.json").read_text(encoding="utf-8"))["effects"])
    results = Results.from_plan(plan, store)
    return [_plain(effect) for effect in find(results, settings).effects] if results.cells else []


def _plain(effect: Effect) -> dict[str, Any]:
    return {name: getattr(effect, name) for name in columns(Effect)} | {
        name: _number(getattr(effect, name)) for name in ("estimate", "low", "high", "p_adjusted")
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)


def _languages(results: Results, *, synthetic: bool) -> list[dict[str, Any]]:
    made_up = world_languages()
    return [
        {
            "code": code,
            "name": language.name,
            "family": language.family,
            "resource": language.resource,
            "synthetic": synthetic and code in made_up,
        }
        for code, language in results.languages.items()
    ]


def _training(plan: Plan, store: Store, key: str, *, encoder: bool) -> list[dict[str, Any]]:
    """Data behind every training in the lineage, nearest first; those of a reused adapter as its author states them."""
    rows: dict[str, dict[str, Any]] = {}
    done = store.completed()
    for ancestor in lineage(plan, key):
        stage = plan.stages[ancestor["key"]]
        if stage.kind == "reuse_intermediate" and stage.key[:SHORT_KEY] in done:
            for row in _published(stage, done[stage.key[:SHORT_KEY]]):
                rows.setdefault(f"{row['task']} {row['published']}", row)
        if stage.kind == "pretrain" and encoder and stage.identity["tokens"]:
            rows.setdefault("pretraining", _texts(plan.stages[stage.inputs["corpus"]]))
        if stage.kind not in TRAINING_KINDS:
            continue
        phase = stage.kind.removeprefix("train_")
        for role in sorted(stage.inputs):
            if role == "data" or role.startswith(("data.", "before.")):
                row = _data(plan.stages[stage.inputs[role]], phase, plan)
                rows.setdefault(row["task"], row)
            elif role == "texts" or role.startswith("translated."):
                row = _arm(plan.stages[stage.inputs[role]], phase, plan)
                rows.setdefault(row["task"], row)
    return list(rows.values())


def _published(stage: Stage, folder: Path) -> list[dict[str, Any]]:
    """Training data of a reused adapter; one row without data where its author names none."""
    record = json.loads((folder / "published.json").read_text(encoding="utf-8"))
    address = f"{record['repository']}@{record['commit']}"
    unknown = {
        "task": stage.identity["task"],
        "format": stage.identity["format"],
        "examples": None,
        "hub": None,
        "synthetic": False,
        "licence": record["licence"],
        "note": "",
    }
    names = (*unknown, "flags")
    known = [{name: row[name] for name in names if name in row} for row in record["training"]]
    return [
        {**unknown, **row, "flags": list(facts_of(str(row["licence"])).flags), "phase": "intermediate",
         "published": address}
        for row in known or [unknown]
    ]  # fmt: skip


def _texts(stage: Stage) -> dict[str, Any]:
    """The text that a recipe's own backbone was pretrained on; nothing states a licence of a user's files."""
    synthetic = stage.identity["source"]["kind"] == "world"
    licence = "apache-2.0" if synthetic else "unstated"
    return {
        "task": "text",
        "phase": "pretraining",
        "format": "text",
        "examples": None,
        "hub": None,
        "synthetic": synthetic,
        "licence": licence,
        "flags": list(facts_of(licence).flags),
        "note": "",
        "published": "",
    }


def _arm(stage: Stage, phase: str, plan: Plan) -> dict[str, Any]:
    """What an arm of an intermediate training adds in other languages: masked text, or translated examples."""
    identity = stage.identity
    languages = {"languages": list(identity["languages"])}
    if identity["what"] == "texts":
        return _texts(stage) | languages | {"task": "masked text", "phase": phase, "arm": "mlm"}
    row = _data(stage, phase, plan)
    return row | languages | {"task": f"{row['task']}, translated", "arm": "translated"}


def _data(stage: Stage, phase: str, plan: Plan) -> dict[str, Any]:
    name = str(stage.identity["task"])
    task = plan.recipe.declared_tasks().get(name) or tasks().get(name)
    # A stand-in from the world bears the name of a real task.
    synthetic = stage.identity["source"]["kind"] == "world"
    if task and synthetic and not task.synthetic:
        task = stand_in(task, tasks()[stand_in_name(task)])
    licence = task.licence if task else "unstated"
    return {
        "task": name,
        "phase": phase,
        "format": stage.identity["format"],
        "examples": stage.identity.get("train_examples"),
        "hub": _repository(stage, task),
        "synthetic": synthetic,
        "licence": licence,
        "flags": list(facts_of(licence).flags),
        "note": task.note if task else "",
        "published": "",
    }
