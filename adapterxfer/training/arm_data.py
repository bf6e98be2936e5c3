"""What the arms of an intermediate training add to its tasks: translations of the examples, and masked text.

Both keep the length of the training on the English data: translations replace examples one for one, and steps of
masked text come on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.output_head import read_output_head
from adapterxfer.data.storage import read_task
from adapterxfer.data.texts import read_texts
from adapterxfer.errors import StageError
from adapterxfer.formats.encoded import encode_split
from adapterxfer.formats.masked_lm import NAME, START, Hiding, MaskedLm, MaskedTexts
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.training.batches import task_weights
from adapterxfer.training.mixing import plan_steps, stratified_batches
from adapterxfer.training.mixture import Mixture
from adapterxfer.training.seeds import derive_seed, numpy_generator
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import SOURCE_LANGUAGE, TrainTask


def with_translations(
    task: TrainTask, folder: Path, languages: Sequence[str], backbone: LoadedBackbone, *, max_length: int
) -> TrainTask:
    """The task with its English examples and their translations, every language drawn equally often.

    Args:
        folder: committed prepare stage of the translations.
        languages: of the translations; English is added.
        max_length: longest sequence in tokens.

    Raises:
        StageError: the folder holds another task, other labels, or a language is missing or without features.
    """
    stored = read_task(folder)
    if (stored.task, stored.format, tuple(stored.labels)) != (task.name, task.format.name, task.labels):
        stored_labels, task_labels = (", ".join(labels) or "none" for labels in (stored.labels, task.labels))
        raise StageError(
            f"{folder}: translations of '{stored.task}' ({stored.format}, labels {stored_labels}); "
            f"expected '{task.name}' ({task.format.name}, labels {task_labels})",
            fix="translate the examples, never the label names",
        )
    features = list(task.features)
    groups = [np.zeros(len(features), dtype=np.int64)]
    longest = min(max_length, backbone.max_length)
    for number, code in enumerate(languages, start=1):
        encoded = encode_split(
            task.format, stored, "train", (code,), backbone.tokenizer, max_length=longest, train=True
        )
        if not encoded.features:
            raise StageError(
                f"{folder}: no translated example of '{task.name}' in '{code}' fits {longest} tokens",
                fix="raise max_length, or leave the language out of 'translated: languages'",
            )
        features += encoded.features
        groups.append(np.full(len(encoded.features), number, dtype=np.int64))
    names = (SOURCE_LANGUAGE, *languages)
    shares = np.full(len(names), 1 / len(names))
    mixture = Mixture(names, np.concatenate(groups), shares)
    return replace(task, features=features, size=task.count, mixture=mixture)


def text_task(
    folder: Path,
    spec: Mapping[str, Any],
    backbone: LoadedBackbone,
    identity: Mapping[str, Any],
    source: Path | None,
    *,
    max_length: int,
) -> TrainTask:
    """Masked language modelling as one more task; its features are drawn once its number of steps is known.

    A line is one text; what does not fit ``max_length`` is cut off.

    Args:
        folder: committed prepare stage of the texts.
        spec: ``{share, mask, languages, sampling}`` of the stage identity; a share of None means all steps.
        backbone: its tokenizer encodes, its head starts the output layer.
        identity, source: of the backbone, where its pretrained head is read.
        max_length: longest sequence in tokens.

    Raises:
        StageError: the backbone cannot be trained on masked text, or a language has no text.
    """
    mask_id = require_masked_lm(backbone)
    texts = read_texts(folder)
    encoder = encoder_for(backbone.tokenizer)
    longest = min(max_length, backbone.max_length)
    rows: list[list[int]] = []
    groups, counts = [], []
    for number, code in enumerate(spec["languages"]):
        if code not in texts:
            raise StageError(f"{folder}: no text in language '{code}'", fix="plan the recipe again")
        encoded = [encoder.build_single(ids, longest) for ids in encoder.texts(texts[code]) if ids]
        rows += encoded
        groups.append(np.full(len(encoded), number, dtype=np.int64))
        counts.append(len(encoded))
    start = read_output_head(identity, source, backbone.config.model_type)
    hidden = backbone.hidden_size
    if start is not None and (set(start) != set(START) or start["dense.weight"].shape != (hidden, hidden)):
        start = None
    embeddings: Any = backbone.model.get_input_embeddings()
    objective = MaskedLm(
        vocabulary=int(embeddings.weight.shape[0]),
        start=start,
        norm_eps=float(getattr(backbone.config, "layer_norm_eps", 1e-5)),
    )
    special = set(backbone.tokenizer.all_special_ids)
    ordinary = np.array([i for i in range(len(backbone.tokenizer)) if i not in special], dtype=np.int64)
    hiding = Hiding(float(spec["mask"]), mask_id, ordinary, 0)
    names = tuple(spec["languages"])
    mixture = Mixture(names, np.concatenate(groups), task_weights(counts, spec["sampling"]))
    return TrainTask(
        name=NAME,
        format=objective,
        labels=(),
        features=MaskedTexts(rows, np.arange(len(rows)), hiding),
        pad_id=encoder.pad_id,
        share=None if spec["share"] is None else float(spec["share"]),
        mixture=mixture,
    )


def require_masked_lm(backbone: LoadedBackbone) -> int:
    """Id of the mask token of a backbone that can be trained on masked text.

    Raises:
        StageError: it has no mask token, causal attention, or embeddings of another width than its layers.
    """
    if backbone.architecture.causal:
        raise StageError(
            f"backbone '{backbone.name}' is a {backbone.config.model_type}: {backbone.architecture.no_masked_lm}",
            fix="leave mlm_mix and language_adapters out for this backbone",
        )
    embeddings: Any = backbone.model.get_input_embeddings()
    width = int(embeddings.weight.shape[1])
    if width != backbone.hidden_size:
        raise StageError(
            f"backbone '{backbone.name}' has embeddings of width {width} and layers of width {backbone.hidden_size}, "
            "so no output matrix can be tied to them",
            fix="leave mlm_mix and language_adapters out for this backbone",
        )
    mask_id = backbone.tokenizer.mask_token_id
    if mask_id is None:
        raise StageError(
            f"backbone '{backbone.name}' has no mask token, so it cannot be trained on masked text",
            fix="leave mlm_mix and language_adapters out for this backbone",
        )
    return int(mask_id)


def draw_mixtures(
    tasks: Sequence[TrainTask], settings: TrainSettings, sampling: Mapping[str, Any] | None, *, seed: int
) -> list[TrainTask]:
    """Draw the batches of every task with a mixture; the others come back as they are.

    Args:
        tasks: of the whole training: their weights decide how many steps each gets.
        settings: batch size and length.
        sampling: between tasks.
        seed: of the order, the masks, and the choice of tasks.
    """
    if all(task.mixture is None for task in tasks):
        return list(tasks)
    steps = plan_steps(tasks, settings, sampling).steps_by_task(seed)
    return [
        task if task.mixture is None else _drawn(task, task.mixture, count, settings.batch_size, seed)
        for task, count in zip(tasks, steps, strict=True)
    ]


def _drawn(task: TrainTask, mixture: Mixture, steps: int, batch_size: int, seed: int) -> TrainTask:
    lengths = np.array([feature.length for feature in task.features], dtype=np.int64)
    batches = stratified_batches(
        lengths,
        mixture.group_of,
        mixture.shares,
        batches=steps,
        batch_size=batch_size,
        rng=numpy_generator(seed, "order", task.name),
    )
    if not isinstance(task.features, MaskedTexts):
        return replace(task, mixture=replace(mixture, batches=batches))
    # Every draw is a feature of its own, so that a text that comes again is hidden anew.
    rows = np.concatenate(batches) if batches else np.empty(0, dtype=np.int64)
    numbered = np.arange(len(rows)).reshape(-1, batch_size)
    features = task.features.drawn(rows, seed=derive_seed(seed, "mask"))
    return replace(
        task, features=features, mixture=replace(mixture, group_of=mixture.group_of[rows], batches=list(numbered))
    )
