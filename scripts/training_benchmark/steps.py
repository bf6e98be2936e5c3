"""Training steps of every variant and prediction at one width, both sides in turn in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.training.building import build_single, new_fusion, new_heads
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.starts import new_adapter
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, LANGUAGES, MAX_LENGTH, Inputs
from training_benchmark.measuring import Rows, activations, settle, timed
from training_benchmark.peer_rows import train_rows
from training_benchmark.peers import Peer

TASK = "xnli-dev"
MODELS = {
    "full-ft": (0, "full-ft"),
    "adapter": (1, "adapter"),
    "stack": (2, "stack"),
    "fuse-2": (2, "fuse"),
    "fuse-3": (3, "fuse"),
    "fuse-9": (9, "fuse"),
}
"""Name -> number of adapters and variant."""

PREDICTED = {256: ("full-ft", "stack", "fuse-3"), 768: ("stack",)}
"""Width -> models whose prediction is measured."""

WARM_STEPS = 2
"""Not measured, before the first turn."""

SAME_BATCH_STEPS = 2

PREDICT_TURNS = 2
"""At most; a pass over the test examples takes as long as dozens of steps."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How much is measured.

    Attributes:
        steps: of one variant, over all turns.
        turns: into which they are cut.
        batch: effective batch.
        eval_batch: of the usual side in prediction.
    """

    steps: int
    turns: int
    batch: int
    eval_batch: int


def measure(inputs: Inputs, hidden: int, names: Sequence[str], plan: StepPlan, rows: Rows) -> None:
    """The named models at one width."""
    backbone = inputs.backbone(BACKBONES[hidden])
    task = inputs.task(TASK, backbone)
    for name in names:
        count, variant = MODELS[name]
        model = composed(backbone, task, count, variant, BOTTLENECKS[hidden])
        peer = Peer.like(model, task)
        _steps(model, peer, task, f"h{hidden} {name}", plan, rows)
        if name in PREDICTED[hidden]:
            _predict(inputs, model, peer, f"h{hidden} {name}", plan, rows)


def _steps(model: TransferModel, peer: Peer, task: TrainTask, label: str, plan: StepPlan, rows: Rows) -> None:
    steps = plan.steps // plan.turns
    encoded = train_rows(task.format.name, task.features)
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(plan.turns + 1):
        settings = TrainSettings(
            learning_rate=1e-3,
            batch_size=plan.batch,
            max_length=MAX_LENGTH,
            steps=steps if turn else min(steps, WARM_STEPS),
        )
        settle()
        with timed(ours if turn else []):
            train(model, [task], settings, seed=turn, log=silent)
        settle()
        with timed(theirs if turn else []):
            peer.train(settings, seed=turn, rows=encoded)
    # The same batch for both, as long as the longest of its window.
    features = sorted(task.features[: plan.batch], key=lambda feature: feature.length)
    sides: tuple[Callable[[], Tensor], ...] = (partial(forward, model, task, features), partial(peer.forward, features))
    kept = [activations(m, side) for m, side in zip((model, peer.model), sides, strict=True)]
    mib = {"activations_mib": kept[0], "usual_mib": kept[1]}
    rows.add("step", label, [t / steps for t in ours], [t / steps for t in theirs], **mib)
    fixed: list[list[float]] = [[], []]
    for turn in range(plan.turns + 1):
        for side, times in zip(sides, fixed, strict=True):
            with timed(times if turn else []):
                for _ in range(SAME_BATCH_STEPS):
                    side().backward()
    per_step = [[t / SAME_BATCH_STEPS for t in times] for times in fixed]
    rows.add("equal", f"{label}, same batch", *per_step)


def _predict(inputs: Inputs, model: TransferModel, peer: Peer, label: str, plan: StepPlan, rows: Rows) -> None:
    stored, fmt, encoded = inputs.test(TASK, model.loaded)
    by_language = [
        [f for f in encoded.features if encoded.examples[f.example].language == code] for code in LANGUAGES[TASK]
    ]
    model.eval()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(min(plan.turns, PREDICT_TURNS)):
        with timed(ours):
            predict_encoded(model, model.head(TASK), fmt, encoded, stored.labels)
        with timed(theirs):
            peer.predict(by_language, batch=plan.eval_batch)
    rows.add("predict", label, ours, theirs, examples=len(encoded.examples))


def composed(backbone: LoadedBackbone, task: TrainTask, count: int, variant: Any, size: int) -> TransferModel:
    """A model with ``count`` adapters, whatever they were trained on: speed does not depend on their values."""
    if variant == "full-ft":
        return build_single(backbone, [task], mode="full", composition="fresh", adapter=None, intermediate=None, seed=1)
    ids = [*(f"i{i:02d}" for i in range(count - 1)), "t00"]
    built = {name: new_adapter(backbone, AdapterShape("seq_bn", size), seed=i) for i, name in enumerate(ids)}
    parts = tuple(
        AdapterPart(
            id=name,
            role="target" if name == "t00" else "intermediate",
            name=name,
            method="seq_bn",
            bottleneck_size=size,
        )
        for name in ids
    )
    head = HeadPart("h00", task.name, task.format.name, task.labels)
    return TransferModel(
        backbone,
        Composition(variant, parts, (head,), "x" if count > 1 else ""),
        adapters=built,
        fusion=new_fusion(backbone, seed=1) if variant == "fuse" else None,
        heads=new_heads(backbone, [task], [head], seed=1),
    )


def forward(model: TransferModel, task: TrainTask, features: Sequence[Any]) -> torch.Tensor:
    """Summed loss of one batch."""
    model.train()
    batch = task.format.collate(features, pad_id=task.pad_id)
    hidden = model(batch.input_ids, batch.attention_mask, batch.reads)
    return task.format.loss(model.head(task.name)(hidden, batch), batch).total


def silent(_: Mapping[str, Any]) -> None:
    """A log that nobody reads."""
