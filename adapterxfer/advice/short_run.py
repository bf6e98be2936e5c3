"""The English dev score after a few steps of the target on top of an intermediate model: training, cut short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from adapterxfer.advice.features import draw_examples
from adapterxfer.advice.records import AdviceSettings
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import DataError
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.store.keys import Stage
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.selection import dev_score
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask


def short_run(
    stage: Stage,
    inputs: Mapping[str, Path],
    backbone: LoadedBackbone,
    task: StoredTask,
    protocol: AdviceSettings,
    *,
    device: str = "cpu",
) -> float:
    """Points on English development data.

    The settings are those of the recipe, with its warm-up and decay squeezed into fewer steps.

    Args:
        stage: the whole target training.
        inputs: its roles ``intermediate`` and ``language``, where it has them.

    Raises:
        DataError: there are no English training or development data, or the target is trained on other tasks first.
    """
    identity = stage.identity
    if identity.get("before"):
        first = ", ".join(str(earlier["task"]) for earlier in identity["before"])
        raise DataError(f"task '{task.task}' is trained on {first} first, so a few steps are not cheap")
    settings = replace(
        TrainSettings.of(identity["settings"]), steps=protocol.steps, epochs=None, selection="last", compile=False,
        seeds_together=False, cache_bottom=False,
    )  # fmt: skip
    fmt = get_format(task.format, str(task.extra.get("protocol", "")) if task.format == "retrieval" else "")
    longest = min(settings.max_length, backbone.max_length)
    pad = encoder_for(backbone.tokenizer).pad_id
    encoded = {}
    for split, count in (("train", protocol.steps * settings.batch_size), ("dev", protocol.examples)):
        examples = draw_examples(task, count=count, seed=protocol.draw, splits=(split,))
        features = fmt.encode(
            examples, backbone.tokenizer, max_length=longest, labels=task.labels, train=split == "train"
        )
        encoded[split] = Encoded(examples, features, pad)
    metric = task.extra.get("metric")
    data = TrainTask(
        name=task.task,
        format=fmt,
        labels=tuple(task.labels),
        features=encoded["train"].features,
        pad_id=pad,
        metric=str(metric) if metric else None,
        dev=encoded["dev"],
    )
    model = build_single(
        backbone,
        [data],
        mode=identity["mode"],
        composition=identity["composition"],
        adapter=identity["adapter"],
        intermediate=inputs.get("intermediate"),
        seed=int(identity["seed"]),
        language=inputs.get("language"),
    )
    train(model, [data], settings, seed=int(identity["seed"]), log=lambda _: None, device=device)
    return dev_score(model, data)
