"""Training on labelled data in the target language, in place of the English examples of a task or beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.supervision import SOURCES, TRANSLATE_TRAIN
from adapterxfer.data.drawing import LanguageDraw, draw, lot_of
from adapterxfer.data.storage import read_task
from adapterxfer.errors import StageError
from adapterxfer.formats.base import Encoding, Feature
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.training.mixture import Mixture
from adapterxfer.training.tasks import SOURCE_LANGUAGE, TrainTask

LISTED = 1000
"""Most ids of a draw that a model's description lists; of more it holds their number and fingerprint."""


def draws_of(identity: Mapping[str, Any], pool: Path, data: Path) -> list[LanguageDraw]:
    """What a training with this identity sees, one entry for each language but English.

    Args:
        pool: committed prepare stage of the data in the target language.
        data: committed prepare stage of the task, whose test items are never drawn.

    Raises:
        DataError: there are fewer examples than described for.
        StageError: the data are translated and must not be, or the other way round.
    """
    described, stored = identity["supervision"], read_task(pool)
    translated = bool(stored.extra.get("translated"))
    if translated != (described["kind"] == TRANSLATE_TRAIN):
        shown = "are a translation" if translated else "do not say that they were translated"
        raise StageError(
            f"{pool}: '{described['label']}' is to train on data that {shown}", fix="plan the recipe again"
        )
    if (stored.task, stored.format) != (identity["task"], identity["format"]):
        raise StageError(
            f"{pool}: holds task '{stored.task}' ({stored.format}); expected '{identity['task']}' "
            f"({identity['format']})",
            fix="plan the recipe again",
        )
    test = read_task(data)
    if unknown := sorted(set(stored.labels) - set(test.labels)):
        raise StageError(
            f"{pool}: labels {', '.join(unknown)} of '{stored.task}' are not among those of its English data",
            fix="give the data of all languages the same label names",
        )
    lot = lot_of(identity["backbone"]["name"], int(identity["seed"]), int(described["draw"]))
    return [
        draw(
            stored,
            described["split"],
            code,
            test=test,
            examples=described["examples"],
            limit=described.get("limit"),
            lot=lot,
        )
        for code in described["languages"]
        if code != SOURCE_LANGUAGE
    ]


def supervised(
    task: TrainTask,
    draws: Sequence[LanguageDraw],
    described: Mapping[str, Any],
    backbone: LoadedBackbone,
    *,
    max_length: int,
) -> TrainTask:
    """The task with the drawn examples in place of its English ones.

    Of several source languages every one is drawn equally often, English among them where it is named.

    Raises:
        StageError: no example of a language fits.
    """
    encoder = encoder_for(backbone.tokenizer)
    encoding = Encoding(encoder, min(max_length, backbone.max_length), task.labels, True)
    together = described["kind"] == SOURCES
    parts: dict[str, Sequence[Feature]] = {}
    for code in described["languages"]:
        if code == SOURCE_LANGUAGE:
            parts[code] = task.features
            continue
        drawn = next(of_language for of_language in draws if of_language.language == code)
        parts[code] = list(task.format.features(list(drawn.examples), encoding))
        if not parts[code]:
            raise StageError(
                f"task '{task.name}': no example in '{code}' fits {encoding.max_length} tokens", fix="raise max_length"
            )
    features = [feature for of_language in parts.values() for feature in of_language]
    if not together:
        return replace(task, features=features)
    groups = np.repeat(np.arange(len(parts)), [len(of_language) for of_language in parts.values()])
    shares = np.full(len(parts), 1 / len(parts))
    largest = max(len(of_language) for of_language in parts.values())
    return replace(task, features=features, size=largest, mixture=Mixture(tuple(parts), groups, shares))


def facts_of(described: Mapping[str, Any], draws: Sequence[LanguageDraw]) -> dict[str, Any]:
    """What a model's description says of its supervision: with the ids of what was drawn."""
    return {
        "supervision": {
            **described,
            "drawn": {
                drawn.language: {
                    "examples": len(drawn.examples),
                    "pool": drawn.pool,
                    "equal_to_test_items": drawn.tested,
                    "sha256_of_ids": drawn.fingerprint,
                    **({"ids": list(drawn.ids)} if len(drawn.ids) <= LISTED else {}),
                }
                for drawn in draws
            },
        }
    }
