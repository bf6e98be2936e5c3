"""Models of several seeds, trained alone and together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import TrainResult, train
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seeds_together import train_together
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.model import TransferModel

SEEDS = (11, 22, 33)
STEPS = 12
SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=5, steps=STEPS, max_length=32, weight_decay=0.01, clip=0.5)
FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}
ADAPTER = {"method": "seq_bn", "bottleneck_size": 6}

CASES: dict[str, dict[str, Any]] = {
    "adapter": {},
    "double": {"adapter": {"method": "double_seq_bn", "bottleneck_size": 6}},
    "parallel": {"adapter": {"method": "par_bn", "bottleneck_size": 6}},
    "upper half": {"adapter": {**ADAPTER, "layers": "upper-half"}},
    "stack": {"composition": "stack"},
    "sequential": {"composition": "sequential"},
    "head": {"mode": "head"},
}

Before = Callable[[int], Path]


def task_of(world: Path, backbone: LoadedBackbone, name: str) -> TrainTask:
    return read_train_task(world / name, name, FORMATS[name], backbone, max_length=32, dev=True)


def build(
    backbone: LoadedBackbone, task: TrainTask, seed: int, before: Before | None = None, *, mode: str = "adapter",
    composition: str = "fresh", adapter: Mapping[str, Any] = ADAPTER,
) -> TransferModel:  # fmt: skip
    folder = before(seed) if before is not None and composition != "fresh" else None
    return build_single(
        backbone, [task], mode=mode, composition=composition, adapter=adapter, intermediate=folder, seed=seed
    )


def weights(model: TransferModel) -> Tensor:
    """All that train, but biases that cancel in a softmax: of them Adam learns rounding noise."""
    idle = ("heads.h00.out.bias",) if model.composition.heads[0].format in ("span_qa", "multiple_choice") else ()
    return torch.cat([p.detach().flatten() for n, p in model.trainable().items() if n not in idle])


def alone(model: TransferModel, task: TrainTask, settings: TrainSettings, seed: int) -> list[float]:
    """Train; returns the loss of every step."""
    lines: list[Mapping[str, Any]] = []
    train(model, [task], settings, seed=seed, log=lines.append)
    return [line["loss"] for line in lines]


def group(
    models: Mapping[int, TransferModel], task: TrainTask, settings: TrainSettings, **options: Any
) -> tuple[dict[int, list[float]], dict[int, TrainResult | DivergedError]]:
    """Train together; returns the losses of every step and the results, by seed."""
    lines: list[Mapping[str, Any]] = []
    found = train_together(models, task, settings, log=lines.append, **options)
    return {
        seed: [line["loss"] for line in lines if line.get("seed") == seed and "loss" in line] for seed in models
    }, found


def apart(
    backbone: LoadedBackbone, task: TrainTask, build_one: Callable[[int], TransferModel], **options: Any
) -> tuple[float, float]:
    """Largest differences of losses and of weights between seeds trained together and the same seeds alone."""
    settings = options.pop("settings", SETTINGS)
    singles, models = ({seed: build_one(seed) for seed in SEEDS} for _ in range(2))
    expected = {seed: alone(model, task, settings, seed) for seed, model in singles.items()}
    losses, _ = group(models, task, settings, **options)
    assert {len(found) for found in losses.values()} == {STEPS}
    differences = [abs(a - b) for seed in SEEDS for a, b in zip(expected[seed], losses[seed], strict=True)]
    moved = [(weights(models[seed]) - weights(singles[seed])).abs().max().item() for seed in SEEDS]
    assert not any(torch.equal(weights(models[seed]), weights(models[SEEDS[0]])) for seed in SEEDS[1:])
    assert max(expected[SEEDS[0]]) - min(expected[SEEDS[0]]) > 1e-2
    return max(differences), max(moved)
