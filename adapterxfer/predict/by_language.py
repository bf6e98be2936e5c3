"""Prediction above the adapter of each language, for models that were trained above that of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import Format
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.formats.registry import format_of_head
from adapterxfer.variants.composition import TARGET_ID
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_adapter, load_model, read_description


def model_of(folder: Path, backbone: LoadedBackbone, device: str) -> TransferModel:
    """The model of a folder with the heads it was trained with."""
    return load_model(
        folder,
        backbone,
        make_head=lambda head: format_of_head(head.format).make_head(
            backbone.hidden_size, head.labels, generator=torch.Generator()
        ),
    ).to(device)


def head_for(model: TransferModel, task: StoredTask, where: Path) -> nn.Module:
    """The head of a task.

    Raises:
        VariantError: there is none, or it knows the labels in another order.
    """
    head = model.composition.head(task.task)
    if head.labels != task.labels:
        raise VariantError(
            f"{where}: head of task '{task.task}' has the labels {list(head.labels)}; the data {list(task.labels)}",
            fix="train the model again on these data",
        )
    return model.head(task.task)


def predict_by_language(
    model: TransferModel,
    adapters: Mapping[str, Path],
    task: StoredTask,
    fmt: Format,
    encoded: Encoded,
    *,
    where: Path,
    batch_tokens: int,
    device: str,
) -> list[str]:
    """Predictions in the order of the examples, each above the adapter of its language.

    Args:
        model: trained above the adapter of its language.
        adapters: language -> model folder of its adapter; the language of the training is in the model itself.
        where: folder of the model, for messages.

    Raises:
        VariantError: a language has no adapter, the folder holds that of another one, or the model has none at all.
    """
    trained_language = model.composition.language
    spoken = {example.language for example in encoded.examples}
    if trained_language is None:
        raise VariantError(
            f"{where}: was trained without the adapter of a language, and is to be predicted above "
            f"{', '.join(sorted(adapters))}",
            fix="plan the recipe again",
        )
    if missing := sorted(spoken - {trained_language.name, *adapters}):
        raise VariantError(
            f"{where}: was trained above the language adapter '{trained_language.name}'; languages without an adapter: "
            f"{', '.join(missing)}",
            fix="add them to language_adapters.languages in the recipe, or leave them out of the task",
        )
    refuse_two_languages(model, fmt, where)
    head = head_for(model, task, where)
    predictions = [""] * len(encoded.examples)
    # The language in the model goes first: after it, its adapter is replaced.
    for language in sorted(spoken, key=lambda code: (code != trained_language.name, code)):
        if language != trained_language.name:
            _speak(model, language, adapters[language])
        chosen, subset = only(encoded, language)
        predicted = predict_encoded(model, head, fmt, subset, task.labels, batch_tokens=batch_tokens, device=device)
        for index, prediction in zip(chosen, predicted, strict=True):
            predictions[index] = prediction
    return predictions


def refuse_two_languages(model: TransferModel, fmt: Format, where: Path) -> None:
    """Refuse retrieval, whose examples are texts of two languages, with a model above the adapter of one.

    Raises:
        VariantError: it is such a model, and such a format.
    """
    if fmt.name == "retrieval" and model.composition.language is not None:
        raise VariantError(
            f"{where}: retrieval compares texts of two languages; a model above language adapters reads one at a time",
            fix="use an adapter without 'language' for this task",
        )


def _speak(model: TransferModel, language: str, folder: Path) -> None:
    stored = read_description(folder)
    (adapter,) = stored.composition.adapters if stored.composition.variant == "language" else (None,)
    if adapter is None or adapter.name != language:
        holds = "no language" if adapter is None else f"language '{adapter.name}'"
        raise VariantError(
            f"{folder}: holds the adapter of {holds}, expected '{language}'", fix="plan the recipe again"
        )
    model.speak(load_adapter(stored, TARGET_ID, model.loaded))


def only(encoded: Encoded, language: str) -> tuple[list[int], Encoded]:
    """Positions of the examples in one language, and these with their features."""
    chosen = [index for index, example in enumerate(encoded.examples) if example.language == language]
    position = {index: row for row, index in enumerate(chosen)}
    features = [replace(f, example=position[f.example]) for f in encoded.features if f.example in position]
    return chosen, Encoded([encoded.examples[index] for index in chosen], features, encoded.pad_id)
