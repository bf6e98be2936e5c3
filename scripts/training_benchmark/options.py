"""Two options that save work, each against the plain way: kept lower layers, and several seeds in one pass.

Both sides of both are trainings as stages run them, start and end included: ``cache_bottom`` and ``seeds_together``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.formats.base import Feature
from adapterxfer.training.bottom import forget_bottoms
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.seeds_together import train_together
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, MAX_LENGTH, Inputs
from training_benchmark.measuring import Rows, settle, timed
from training_benchmark.steps import TASK, StepPlan, silent

SEEDS = (2, 5)
ROWS = ((2, 16), (8, 16), (32, 32))
"""Examples of a step and their length in tokens."""

EXAMPLES = 512


def measure(inputs: Inputs, hidden: int, plan: StepPlan, rows: Rows) -> None:
    """Both at one width."""
    backbone = inputs.backbone(BACKBONES[hidden])
    task = inputs.task(TASK, backbone)
    _kept(backbone, task, hidden, plan, rows)
    for count in SEEDS:
        for shape in ROWS:
            _seeds(backbone, task, hidden, count=count, shape=shape, plan=plan, rows=rows)


def _kept(backbone: LoadedBackbone, task: TrainTask, hidden: int, plan: StepPlan, rows: Rows) -> None:
    """Upper-half adapters and a head alone, one pass over the examples and the next: computed each time, or kept."""
    steps = plan.steps // plan.turns
    shape = {"method": "seq_bn", "bottleneck_size": BOTTLENECKS[hidden]}
    for name, mode, adapter in (
        ("upper-half", "adapter", {**shape, "layers": "upper-half"}),
        ("head-only", "head", None),
    ):
        model = build_single(
            backbone, [task], mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1
        )
        every = build_single(
            backbone, [task], mode="adapter", composition="fresh", adapter=shape, intermediate=None, seed=1
        )
        times: dict[str, list[float]] = {"all layers": [], "computed": [], "first": [], "kept": []}
        for turn in range(plan.turns + 1):
            forget_bottoms()
            for what, kept, chosen in (
                ("all layers", False, every),
                ("computed", False, model),
                ("first", True, model),
                ("kept", True, model),
            ):
                settings = TrainSettings(
                    learning_rate=1e-3, batch_size=plan.batch, max_length=MAX_LENGTH, steps=steps, cache_bottom=kept
                )
                settle()
                with timed(times[what] if turn else []):
                    train(chosen, [task], settings, seed=turn, log=silent)
        per_step = {what: [t / steps for t in found] for what, found in times.items()}
        rows.add("kept", f"h{hidden} {name}, first {steps} steps", per_step["first"], per_step["computed"])
        rows.add("kept", f"h{hidden} {name}, states there", per_step["kept"], per_step["computed"])
        if name == "upper-half":
            rows.add("kept", f"h{hidden} {name} against all layers", per_step["kept"], per_step["all layers"])


def _seeds(
    backbone: LoadedBackbone,
    task: TrainTask,
    hidden: int,
    *,
    count: int,
    shape: tuple[int, int],
    plan: StepPlan,
    rows: Rows,
) -> None:
    batch, length = shape
    task = replace(task, features=_examples(backbone, task, length))
    settings = TrainSettings(learning_rate=1e-3, batch_size=batch, max_length=MAX_LENGTH, steps=plan.steps)
    adapter = {"method": "seq_bn", "bottleneck_size": BOTTLENECKS[hidden]}
    times: tuple[list[float], list[float]] = ([], [])
    apart = 0.0
    for turn in range(plan.turns + 1):
        alone, together = (
            {
                seed: build_single(
                    backbone, [task], mode="adapter", composition="fresh", adapter=adapter, intermediate=None, seed=seed
                )
                for seed in range(1, count + 1)
            }
            for _ in range(2)
        )
        settle()
        with timed(times[0] if turn else []):
            train_together(together, task, settings, log=silent)
        settle()
        with timed(times[1] if turn else []):
            for seed, model in alone.items():
                train(model, [task], settings, seed=seed, log=silent)
        apart = max(apart, *(_difference(together[seed], alone[seed]) for seed in alone))
    what = f"h{hidden} {count} seeds, {batch} x {length} tokens"
    rows.add("seeds", what, *([t / plan.steps for t in found] for found in times), weights_apart=f"{apart:.1e}")


def _examples(backbone: LoadedBackbone, task: TrainTask, length: int) -> list[Feature]:
    """Random texts of one length."""
    rng = np.random.default_rng(1)
    ids = rng.integers(5, int(backbone.config.vocab_size), (EXAMPLES, length)).tolist()
    return [Feature([row], index % len(task.labels), index) for index, row in enumerate(ids)]


def _difference(one: TransferModel, other: TransferModel) -> float:
    """Largest difference between trained weights."""
    mine, its = one.trainable(), other.trainable()
    return max((mine[name] - its[name]).abs().max().item() for name in mine)
