"""What the identity of a training stage asks for: its tasks, what is trained before, and the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from adapterxfer.backbones.loaded import LoadedBackbone, with_words
from adapterxfer.catalog.controls import BY_LANGUAGE
from adapterxfer.catalog.variants import FURTHER
from adapterxfer.data.drawing import LanguageDraw
from adapterxfer.errors import StageError, VariantError
from adapterxfer.formats.registry import format_of_head
from adapterxfer.stages.context import StageContext
from adapterxfer.training.arm_data import draw_mixtures, text_task, with_translations
from adapterxfer.training.building import build_fusion, build_single
from adapterxfer.training.language_adapters import build_language, language_task
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.supervised import draws_of, facts_of, supervised
from adapterxfer.training.tasks import TrainTask, read_train_task, with_target_dev
from adapterxfer.training.words import words_of
from adapterxfer.variants.composition import HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import WEIGHTS, load_model
from adapterxfer.variants.word_rows import stored_ids

SUPERVISION = "supervision"
"""Key of an identity, and role of an input: labelled data in the target language."""

START = "start"
"""Role of a whole model that is trained further."""


def tasks_of(
    context: StageContext, backbone: LoadedBackbone, settings: TrainSettings, *, dev: bool = False
) -> list[TrainTask]:
    """What the stage trains on.

    Args:
        dev: read English development data whatever the selection.

    Raises:
        AdapterxferError: inputs that do not fit the identity.
    """
    identity = context.stage.identity
    if context.stage.kind == "train_language":
        text = language_task(
            needed(context, "texts"), identity, backbone, context.backbone_folder, max_length=settings.max_length
        )
        return draw_mixtures([text], settings, None, seed=int(identity["seed"]))
    if context.stage.kind == "train_intermediate":
        named_tasks = [
            (f"data.{described['task']}", described["task"], described["format"]) for described in identity["tasks"]
        ]
    else:
        named_tasks = [("data", identity["task"], identity["format"])]
    dev = dev or settings.selection == "dev"
    tasks = [
        read_train_task(needed(context, role), task, fmt, backbone, max_length=settings.max_length, dev=dev)
        for role, task, fmt in named_tasks
    ]
    if settings.selection == "oracle":
        folder = needed(context, "target_dev")
        alike = identity.get("selected_by") == BY_LANGUAGE
        return [
            with_target_dev(task, folder, backbone, max_length=settings.max_length, by_language=alike) for task in tasks
        ]
    if SUPERVISION in identity:
        draws = supervision_of(context)
        tasks = [
            supervised(task, draws, identity[SUPERVISION], backbone, max_length=settings.max_length) for task in tasks
        ]
        return draw_mixtures(tasks, settings, None, seed=int(identity["seed"]))
    if context.stage.kind != "train_intermediate":
        return tasks
    heads = {name: group[0] for group in identity.get("shared_heads", ()) for name in group[1:]}
    tasks = [replace(task, head=heads.get(task.name, "")) for task in tasks]
    if translated := identity.get("translated"):
        tasks = [
            with_translations(
                task,
                needed(context, f"translated.{task.name}"),
                translated["languages"],
                backbone,
                max_length=settings.max_length,
            )
            for task in tasks
        ]
    if mixed := identity.get("mlm"):
        backbone_folder = context.backbone_folder
        folder = needed(context, "texts")
        tasks.append(
            text_task(folder, mixed, backbone, identity["backbone"], backbone_folder, max_length=settings.max_length)
        )
    return draw_mixtures(tasks, settings, identity.get("sampling"), seed=int(identity["seed"]))


def supervision_of(context: StageContext) -> list[LanguageDraw]:
    """What the stage sees of labelled data in other languages; nothing where it trains in English alone.

    Raises:
        DataError: there are fewer examples than asked for.
        StageError: these are not the data that the identity names.
    """
    identity = context.stage.identity
    return draws_of(identity, needed(context, SUPERVISION), needed(context, "data")) if SUPERVISION in identity else []


def supervision_facts(context: StageContext) -> dict[str, Any]:
    """The same for the record of the stage: what was drawn, with ids."""
    identity = context.stage.identity
    return facts_of(identity[SUPERVISION], supervision_of(context)) if SUPERVISION in identity else {}


def before_of(
    context: StageContext, backbone: LoadedBackbone, task: TrainTask
) -> Iterator[tuple[str, TrainTask, TrainSettings]]:
    """What is trained first, under the name of the task itself: it has the same head.

    Raises:
        StageError: an earlier task has other labels than the task.
    """
    for earlier in context.stage.identity.get("before", ()):
        settings, folder = TrainSettings.of(earlier["settings"]), needed(context, f"before.{earlier['task']}")
        first = read_train_task(
            folder, earlier["task"], task.format.name, backbone, max_length=settings.max_length,
            dev=settings.selection == "dev",
        )  # fmt: skip
        if first.labels != task.labels:
            raise StageError(
                f"{folder}: '{earlier['task']}' has other labels than '{task.name}', which it is trained before",
                fix="give the data of both the same label names",
            )
        yield earlier["task"], replace(first, name=task.name), settings


def with_needed_words(
    context: StageContext,
    backbone: LoadedBackbone,
    tasks: list[TrainTask],
    settings: TrainSettings,
    before: Sequence[tuple[str, TrainTask, TrainSettings]],
) -> LoadedBackbone:
    """The backbone with the rows of words that the stage needs: those of its texts, or all; see `words_of`.

    Args:
        before: what is trained first, as `before_of` gives it.
    """
    trains = context.stage.identity.get("mode") == "full"
    earlier = context.inputs.get("intermediate") or context.inputs.get(START)
    ids = words_of(
        backbone,
        [*tasks, *(task for _, task, _ in before)],
        [settings, *(some for _, _, some in before)],
        trains=trains,
        before=stored_ids(earlier / WEIGHTS, trains_backbone=trains) if earlier else np.empty(0, dtype=np.int64),
    )
    return with_words(backbone, ids)


def build_of(context: StageContext, backbone: LoadedBackbone, tasks: list[TrainTask]) -> TransferModel:
    """The model that the stage trains, as it starts.

    Raises:
        VariantError: inputs that cannot be put together.
    """
    identity = context.stage.identity
    seed = int(identity["seed"])
    if context.stage.kind == "train_language":
        return build_language(backbone, tasks[0], adapter=identity["adapter"], language=identity["language"], seed=seed)
    if identity.get("composition") == FURTHER:
        return _further(context, backbone, tasks[0])
    # Named in the identity, so that a plan that lost the input is noticed.
    language = needed(context, "language") if identity.get("language") else None
    if context.stage.kind == "train_fusion":
        folders = {name: needed(context, f"intermediate.{name}") for name in identity["fused"]}
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


def _further(context: StageContext, backbone: LoadedBackbone, task: TrainTask) -> TransferModel:
    """A trained model as it is, to be trained further; what did not train before does not train now.

    Raises:
        VariantError: it has no head for the task, or knows its labels in another order.
    """
    folder = needed(context, START)

    def empty_head(head: HeadPart) -> nn.Module:
        fmt = format_of_head(head.format)
        return fmt.make_head(backbone.hidden_size, head.labels, generator=torch.Generator())

    model = load_model(folder, backbone, make_head=empty_head)
    if model.composition.head(task.name).labels != task.labels:
        raise VariantError(
            f"{folder}: head of task '{task.name}' has the labels {list(model.composition.head(task.name).labels)}; "
            f"the data {list(task.labels)}",
            fix="train the model again on these data",
        )
    return model


def needed(context: StageContext, role: str) -> Path:
    """The folder of an input.

    Raises:
        StageError: there is none.
    """
    folder = context.inputs.get(role)
    if folder is None:
        raise StageError(
            f"stage {context.stage.kind} {context.stage.short_key}: input '{role}' is missing; it has "
            f"{', '.join(sorted(context.inputs)) or 'none'}",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    return folder
