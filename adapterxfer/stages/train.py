"""Executor of the four training kinds: build a model, prove it, train it, prove it again, store it.

Artefacts: ``model.json``, ``model.safetensors`` and ``train.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.backbones.loading import LoadedBackbone, load_backbone
from adapterxfer.catalog.systems import BY_LANGUAGE
from adapterxfer.errors import StageError
from adapterxfer.formats.masked_lm import NAME as MLM
from adapterxfer.stages.checkpointing import checkpoints_of
from adapterxfer.stages.context import StageContext
from adapterxfer.training.arms import draw_mixtures, text_task, with_translations
from adapterxfer.training.building import build_fusion, build_single
from adapterxfer.training.device import use_one_thread
from adapterxfer.training.languages import build_language, language_task
from adapterxfer.training.loop import TOKEN_BUDGET, TrainResult, train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task, with_target_dev
from adapterxfer.variants.assertions import as_json, check
from adapterxfer.variants.measures import Evidence, snapshot
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import read_weights, write_description, write_weights

PROBE_FEATURES = 4
"""Inputs on which the assertions are measured."""


def execute(context: StageContext) -> dict[str, Any]:
    """Run one training stage.

    Raises:
        AdapterxferError: inputs that do not fit together, an assertion that does not hold, or a failed training.
    """
    use_one_thread()
    identity = context.stage.identity
    settings = TrainSettings.of(identity["settings"])
    backbone = load_backbone(identity["backbone"], context.backbone_folder)
    tasks = _tasks(context, backbone, settings)
    model = _build(context, backbone, tasks)
    evidence = Evidence(
        model=model,
        batch=tasks[0].format.collate(tasks[0].features[:PROBE_FEATURES], pad_id=tasks[0].pad_id),
        task=tasks[0].name,
        start=snapshot(model),
        start_backbone=_fingerprint(model),
        stored=lambda: read_weights(context.scratch),
        pristine=backbone.model,
    )
    verdicts = check("built", evidence)
    device = str(context.settings.get("device") or "cpu")
    sharding = str(context.stage.resources.get("sharding") or "")
    with _TrainLog(context.scratch / "train.jsonl", context.log) as log:
        earlier = [
            train(
                model,
                [first],
                first_settings,
                seed=int(identity["seed"]),
                log=_marked(log, name),
                device=device,
                token_budget=int(context.settings.get("train_batch_tokens") or TOKEN_BUDGET),
                checkpoints=checkpoints_of(context, before=name),
                sharding=sharding,
            )
            for name, first, first_settings in _before(context, backbone, tasks[0])
        ]
        result = train(
            model,
            tasks,
            settings,
            seed=int(identity["seed"]),
            log=log,
            sampling=identity.get("sampling"),
            device=device,
            token_budget=int(context.settings.get("train_batch_tokens") or TOKEN_BUDGET),
            checkpoints=checkpoints_of(context),
            sharding=sharding,
        )
    model.to("cpu")
    if any(task.name == MLM for task in tasks):
        model.drop_head(MLM)
    write_weights(context.scratch, model)
    verdicts += check("trained", evidence)
    # Wall time and interruptions stay out of the artefacts: the same stage gives the same bytes.
    outcome = result.as_json()
    if earlier:
        named = zip(identity["before"], earlier, strict=True)
        outcome["before"] = {entry["task"]: done.as_json() for entry, done in named}
    content = write_description(
        context.scratch,
        model,
        training={"stage": context.stage.key, "settings": dict(identity["settings"]), **outcome},
        assertions=as_json(verdicts),
    )
    return {
        "variant": model.composition.variant,
        "trainable_parameters": content["trainable_parameters"],
        "seconds": round(result.seconds + sum(done.seconds for done in earlier), 3),
        **_this_run(result),
        **outcome,
    }


def _this_run(result: TrainResult) -> dict[str, Any]:
    """What is true of this run and not of the stage: speed, and what went on in it."""
    facts: dict[str, Any] = {}
    if result.resumed_at:
        facts["resumed_at"] = result.resumed_at
    elif result.seconds:
        facts["tokens_per_second"] = round(result.tokens / result.seconds)
    if result.processes > 1:
        facts["processes"] = result.processes
    if result.sharding:
        facts["sharding"] = result.sharding
    if result.halvings:
        facts["memory_ran_out"] = list(result.halvings)
    return facts


def _tasks(context: StageContext, backbone: LoadedBackbone, settings: TrainSettings) -> list[TrainTask]:
    identity = context.stage.identity
    if context.stage.kind == "train_language":
        text = language_task(
            _input(context, "texts"), identity, backbone, context.backbone_folder, max_length=settings.max_length
        )
        return draw_mixtures([text], settings, None, seed=int(identity["seed"]))
    if context.stage.kind == "train_intermediate":
        wanted = [(f"data.{entry['task']}", entry["task"], entry["format"]) for entry in identity["tasks"]]
    else:
        wanted = [("data", identity["task"], identity["format"])]
    dev = settings.selection == "dev"
    tasks = [
        read_train_task(_input(context, role), task, fmt, backbone, max_length=settings.max_length, dev=dev)
        for role, task, fmt in wanted
    ]
    if settings.selection == "oracle":
        folder = _input(context, "target_dev")
        alike = identity.get("selected_by") == BY_LANGUAGE
        return [
            with_target_dev(task, folder, backbone, max_length=settings.max_length, by_language=alike) for task in tasks
        ]
    if context.stage.kind != "train_intermediate":
        return tasks
    heads = {name: group[0] for group in identity.get("shared_heads", ()) for name in group[1:]}
    tasks = [replace(task, head=heads.get(task.name, "")) for task in tasks]
    if translated := identity.get("translated"):
        tasks = [
            with_translations(
                task,
                _input(context, f"translated.{task.name}"),
                translated["languages"],
                backbone,
                max_length=settings.max_length,
            )
            for task in tasks
        ]
    if mixed := identity.get("mlm"):
        place = context.backbone_folder
        folder = _input(context, "texts")
        tasks.append(text_task(folder, mixed, backbone, identity["backbone"], place, max_length=settings.max_length))
    return draw_mixtures(tasks, settings, identity.get("sampling"), seed=int(identity["seed"]))


def _before(
    context: StageContext, backbone: LoadedBackbone, task: TrainTask
) -> Iterator[tuple[str, TrainTask, TrainSettings]]:
    """What is trained first, under the name of the task itself: it has the same head.

    Raises:
        StageError: an earlier task has other labels than the task.
    """
    for entry in context.stage.identity.get("before", ()):
        settings, folder = TrainSettings.of(entry["settings"]), _input(context, f"before.{entry['task']}")
        first = read_train_task(
            folder, entry["task"], task.format.name, backbone, max_length=settings.max_length,
            dev=settings.selection == "dev",
        )  # fmt: skip
        if first.labels != task.labels:
            raise StageError(
                f"{folder}: '{entry['task']}' has other labels than '{task.name}', which it is trained before",
                fix="give the data of both the same label names",
            )
        yield entry["task"], replace(first, name=task.name), settings


def _marked(log: Callable[[Mapping[str, Any]], None], name: str) -> Callable[[Mapping[str, Any]], None]:
    """A log that says which of several trainings a line is about."""
    return lambda line: log({**line, "before": name})


def _build(context: StageContext, backbone: LoadedBackbone, tasks: list[TrainTask]) -> TransferModel:
    identity = context.stage.identity
    seed = int(identity["seed"])
    if context.stage.kind == "train_language":
        return build_language(backbone, tasks[0], adapter=identity["adapter"], language=identity["language"], seed=seed)
    # Named in the identity, so that a plan that lost the input is noticed.
    language = _input(context, "language") if identity.get("language") else None
    if context.stage.kind == "train_fusion":
        folders = {name: _input(context, f"intermediate.{name}") for name in identity["fused"]}
        return build_fusion(
            backbone,
            tasks[0],
            intermediates=folders,
            target=context.inputs.get("target"),
            seed=seed,
            rank=int(identity.get("rank", 0)),
            joint=identity["adapter"] if identity.get("joint") else None,
            language=language,
        )
    return build_single(
        backbone,
        tasks,
        mode=identity["mode"],
        composition=identity.get("composition", "fresh"),
        adapter=identity.get("adapter"),
        intermediate=context.inputs.get("intermediate"),
        seed=seed,
        language=language,
    )


def _input(context: StageContext, role: str) -> Path:
    folder = context.inputs.get(role)
    if folder is None:
        raise StageError(
            f"stage {context.stage.kind} {context.stage.short_key}: input '{role}' is missing; it has "
            f"{', '.join(sorted(context.inputs)) or 'none'}",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    return folder


def _fingerprint(model: TransferModel) -> str:
    """Of the backbone as training starts; for a frozen one loading has just checked it."""
    from adapterxfer.backbones.measure import state_fingerprint

    if model.composition.trains_backbone:
        return state_fingerprint(model.backbone.state_dict())
    return model.loaded.fingerprint


class _TrainLog:
    """Sends every line to the stage's log, and those that follow from the stage alone to ``train.jsonl``."""

    def __init__(self, path: Path, log: Callable[[Mapping[str, Any]], None]) -> None:
        self._path, self._log = path, log

    def __enter__(self) -> _TrainLog:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __call__(self, line: Mapping[str, Any]) -> None:
        if "steps" in line:
            self._file.write(json.dumps(dict(line), sort_keys=True) + "\n")
        self._log(line)

    def __exit__(self, *error: object) -> None:
        self._file.close()
