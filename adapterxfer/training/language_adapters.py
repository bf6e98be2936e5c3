"""Adapters of languages (MAD-X): trained on a language's text, they lie frozen below the adapters of tasks.

A task is trained above the adapter of its training language; `predict` puts the adapter of each test language in its
place. So the task's adapter never sees another language, and nothing about the language has to be learned twice.

Source: Pfeiffer et al. 2020 (MAD-X), sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.training.arm_data import text_task
from adapterxfer.training.building import head_parts, new_heads, tied
from adapterxfer.training.seeds import torch_generator
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import TARGET_ID, AdapterPart, Composition
from adapterxfer.variants.model import TransferModel


def language_task(
    folder: Path,
    identity: Mapping[str, Any],
    backbone: LoadedBackbone,
    source: Path | None,
    *,
    max_length: int,
) -> TrainTask:
    """Masked language modelling on the text of one language.

    Args:
        folder: committed prepare stage of the text.
        identity: of the stage: ``language``, ``mask`` and ``backbone`` count.
        source: folder of the backbone, where its pretrained output head is read.
        max_length: longest sequence in tokens.

    Raises:
        StageError: the backbone cannot be trained on masked text, or the folder has no text in the language.
    """
    spec = {"share": None, "mask": identity["mask"], "languages": [identity["language"]], "sampling": None}
    task = text_task(folder, spec, backbone, identity["backbone"], source, max_length=max_length)
    # The features drawn later are as many as the steps take; an epoch is one pass over the texts.
    return replace(task, size=len(task.features))


def build_language(
    backbone: LoadedBackbone, task: TrainTask, *, adapter: Mapping[str, Any], language: str, seed: int
) -> TransferModel:
    """The model of a language's training: a fresh adapter, and the backbone's output head, which trains along.

    Raises:
        VariantError: the method cannot be a language's adapter.
    """
    shape = AdapterShape.of(adapter, backbone.hidden_size)
    generator = torch_generator(seed, "language")
    language_adapter = Adapter(
        backbone.layers, backbone.hidden_size, shape, generator=generator, linears=backbone.linears
    )
    description = AdapterPart(
        id=TARGET_ID, role="target", name=language, method=shape.method, bottleneck_size=shape.bottleneck_size
    )
    heads = head_parts([task])
    model = TransferModel(
        backbone,
        Composition("language", (description,), heads),
        adapters={TARGET_ID: language_adapter},
        fusion=None,
        heads=new_heads(backbone, [task], heads, seed=seed),
    )
    return tied(model)
