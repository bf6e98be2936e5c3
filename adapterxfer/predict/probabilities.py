"""Probabilities behind the predictions of a trained model: it predicts once more, and keeps what it compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapterxfer.backbones.loaded import with_words
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.rows import ids_in
from adapterxfer.data.examples import ChoiceExample, Example
from adapterxfer.data.storage import read_task
from adapterxfer.errors import DataError
from adapterxfer.formats.base import Batch, Feature, Format
from adapterxfer.formats.registry import get_format
from adapterxfer.predict.systems import encode_test, predict_trained
from adapterxfer.store.keys import SHORT_KEY, Stage

FORMATS = ("sequence_classification", "multiple_choice")
"""Formats with one answer among a few for each example."""

LANGUAGE = "language."


class _Softmax:
    """A format whose results are the probabilities of all classes in place of the best one's number."""

    def __init__(self, fmt: Format) -> None:
        self._format = fmt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._format, name)

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """One list of numbers per feature that sum to 1; float64, so that they do to the last digits."""
        return torch.softmax(self._format.logits(outputs, batch).double(), dim=-1).tolist()

    def decode(
        self, results: Sequence[Any], features: Sequence[Feature], examples: Sequence[Example], labels: Sequence[str]
    ) -> list[str]:
        """One JSON object per example: label, or number of the choice, -> probability."""
        rows: list[str] = [""] * len(examples)
        for feature, values in zip(features, results, strict=True):
            example = examples[feature.example]
            names = list(map(str, range(len(example.choices)))) if isinstance(example, ChoiceExample) else list(labels)
            rows[feature.example] = json.dumps(dict(zip(names, values[: len(names)], strict=True)))
        return rows


def class_probabilities(
    stage: Stage, stages: Mapping[str, Path], *, folders: Mapping[str, str], device: str = "cpu"
) -> dict[tuple[str, str], dict[str, float]]:
    """Probability of every label, or choice by its number, for every example of a predict stage.

    Args:
        stage: a predict stage of a trained model.
        stages: short key -> folder of the finished stages.
        folders: backbone -> its folder, where it is none of the stages.

    Returns:
        ``(language, example id)`` -> label -> probability; nothing for controls, untrained backbones and other formats.

    Raises:
        DataError: an input is not in the store.
    """
    identity, system = stage.identity, stage.identity["system"]
    if system["kind"] != "trained" or identity["format"] not in FORMATS:
        return {}
    inputs = {}
    for role, key in stage.inputs.items():
        if key[:SHORT_KEY] not in stages:
            raise DataError(f"predict stage {stage.short_key}: its {role} is not in the store", fix="run it again")
        inputs[role] = stages[key[:SHORT_KEY]]
    task = read_task(inputs["data"])
    split = str(identity.get("split", "test"))
    languages = list(identity.get("languages") or task.languages(split))
    described = identity["backbone"]
    elsewhere = folders.get(described["name"])
    backbone = load_backbone(described, inputs.get("backbone") or (Path(elsewhere) if elsewhere else None), words=False)
    fmt: Any = _Softmax(get_format(task.format, str(identity.get("protocol", ""))))
    encoded = encode_test(task, fmt, split, languages, backbone)
    sequences = (sequence for feature in encoded.features for sequence in feature.sequences)
    backbone = with_words(backbone, np.flatnonzero(ids_in(sequences, backbone.vocabulary)))
    spoken = {role.removeprefix(LANGUAGE): folder for role, folder in inputs.items() if role.startswith(LANGUAGE)}
    rows = predict_trained(
        inputs["model"], backbone, task, fmt, encoded, protocol=str(identity.get("protocol", "")), languages=spoken,
        device=device,
    )  # fmt: skip
    return {
        (example.language, example.example_id): json.loads(row)
        for example, row in zip(encoded.examples, rows, strict=True)
    }
