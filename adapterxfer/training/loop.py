"""The training loop: any variant, any format, one or several tasks.

A step of a tiny model takes 10 ms, so the loop does nothing per step that could be done before. The loss of a step is
the sum over all units of its effective batch divided by their number, however the batch was split over parts (`micro`)
and processes (`parallel`): gradients of sums are added up and scaled once, together with clipping. What was computed up
to any step can be saved and gone on from (`checkpoints`, `resume`), with the same numbers as without the pause.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.formats.inference import Forward
from adapterxfer.training.bottom import Bottom
from adapterxfer.training.device import device_context
from adapterxfer.training.meter import DivergedError, Log, Meter
from adapterxfer.training.micro import Accumulator
from adapterxfer.training.mixing import plan_steps
from adapterxfer.training.optimiser import apply, new_optimiser
from adapterxfer.training.parallel import Processes
from adapterxfer.training.resume import TrainingProgress, go_on, save
from adapterxfer.training.seeds import DropoutStream, derive_seed
from adapterxfer.training.selection import (
    BY_SCORE,
    BestWeights,
    MeanWeights,
    dev_score,
    evaluation_steps,
    mean_steps,
    stops_early,
)
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.sharding import FSDP, check_shardable, collect, sharded
from adapterxfer.training.streams import Streams
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.products import WIDE

TOKEN_BUDGET = 16_384
"""Default of rows times width of one forward pass in training; not part of a stage's identity."""

PART_STATES, PART_TOKENS = 512 * 384, 512
"""Numbers in the hidden states of one forward pass in training a wide model on a processor (512 tokens 384 wide), and
the fewest tokens. More would only take memory: parts of 512, 1024 and 16,384 tokens take the same time, since products
of so many rows keep a core busy, and their activations stay in its cache."""


def token_budget_of(model: TransferModel, device: str) -> int:
    """Rows times width of one forward pass, where nobody says how much."""
    hidden = model.loaded.hidden_size
    if device == "cpu" and (hidden**2 > WIDE or model.composition.trains_backbone):
        return min(TOKEN_BUDGET, max(PART_TOKENS, PART_STATES // hidden))
    return TOKEN_BUDGET


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What happened.

    Attributes:
        steps: optimiser steps; fewer than planned where the training stopped early.
        first_loss: mean loss over the first logged steps.
        last_loss: mean loss over the last logged steps.
        tokens: real tokens seen.
        padded_tokens: tokens computed, padding included.
        seconds: wall time of the loop, of this run alone.
        dev_score: of the selected weights, in points; None without dev selection.
        selected_step: step the weights are from; the last of several.
        steps_by_task: optimiser steps each task got.
        sampling: declared and realised shares, see `Tally.as_json`; None for one task in one language.
        resumed_at: step of the checkpoint this run went on from; 0 for none.
        halvings: ``{step, token_budget}`` of every time memory ran out.
        processes: that shared the work.
        sharding: how weights were shared out among them; empty where each had all.
    """

    steps: int
    first_loss: float
    last_loss: float
    tokens: int
    padded_tokens: int
    seconds: float
    dev_score: float | None
    selected_step: int
    steps_by_task: dict[str, int]
    sampling: dict[str, Any] | None = None
    resumed_at: int = 0
    halvings: tuple[dict[str, int], ...] = ()
    processes: int = 1
    sharding: str = ""

    def as_json(self) -> dict[str, Any]:
        """JSON values that follow from the stage alone: the same however often it was interrupted, and wherever.

        Without ``sampling`` where there was nothing to share.
        """
        values = {name: value for name, value in asdict(self).items() if name not in _OF_THIS_RUN}
        if self.sampling is None:
            del values["sampling"]
        return values


_OF_THIS_RUN = ("seconds", "resumed_at", "halvings", "processes", "sharding")


def train(
    model: TransferModel,
    tasks: Sequence[TrainTask],
    settings: TrainSettings,
    *,
    seed: int,
    log: Log,
    sampling: Mapping[str, Any] | None = None,
    device: str = "cpu",
    token_budget: int = TOKEN_BUDGET,
    checkpoints: Checkpoints | None = None,
    sharding: str = "",
    states: Path | None = None,
) -> TrainResult:
    """Train the parts of ``model`` that its composition lets train.

    Args:
        model: moved to the device, left in evaluation mode; where shards are trained in its place, left on the CPU.
        tasks: each has a head in the model; every step trains one of them.
        settings: see `TrainSettings`.
        seed: of the order of features, the choice of tasks, and dropout.
        log: takes ``{step, steps, loss, learning_rate}`` every `meter.LOG_EVERY` steps and dev scores.
        sampling: how the task of a step is chosen where there are several; see `batches.task_weights`.
        device: as in `device_context`.
        token_budget: rows times width of one forward pass.
        checkpoints: where to save and go on; None for a training that cannot be interrupted.
        sharding: ``fsdp`` for weights in shards where there are several processes; see `sharding`.
        states: where ``cache_bottom`` keeps states for other processes; None for this one alone.

    Raises:
        DivergedError: loss, gradient or weights are not finite, or the loss diverged.
        StageStopped: the checkpoints were asked to stop; everything is saved.
        StageError: a single example does not fit into memory, a task cannot be trained by several processes, or the
            variant not in shards.
    """
    context = device_context(settings.dtype, device)
    if sharding == FSDP:
        check_shardable(model, settings)
    processes = Processes(context, shards=sharding == FSDP and context.num_processes > 1)
    processes.check(tasks)
    whole = model
    model = sharded(model.to("cpu"), context) if processes.shards else model.to(context.device)
    model.train()
    log = processes.only_first(log)
    plan = plan_steps(tasks, settings, sampling)
    steps = plan.steps
    named = model.trainable()
    parameters = list(named.values())
    optimiser = new_optimiser(parameters, settings)
    best = BestWeights(model) if settings.selection in BY_SCORE else None
    mean = MeanWeights(model) if settings.selection == "mean" else None
    stopping = settings.early_stopping
    moments = mean_steps(steps, settings.mean_of) if mean else frozenset[int]()
    if best is not None:
        moments = evaluation_steps(steps, stopping["every"] if stopping else 0)
    history: list[Mapping[str, Any]] = []

    def record(line: Mapping[str, Any]) -> None:
        history.append(line)
        log(line)

    meter = Meter(steps, record, settings, show=log)
    streams = Streams(tasks, settings, plan, seed=seed)
    began = time.perf_counter()
    dropout = DropoutStream(derive_seed(seed, "dropout", *processes.rank_purpose), context.device)
    bottom = Bottom(model, tasks, dtype=settings.dtype, folder=states) if settings.cache_bottom else None
    with dropout, _options(model, settings) as forward:
        accumulator = Accumulator(
            model, forward, context, token_budget=token_budget, dropout=dropout, log=log, processes=processes,
            bottom=bottom,
        )  # fmt: skip
        progress = TrainingProgress(
            named=named,
            optimiser=optimiser,
            kept=best or mean,
            meter=meter,
            streams=streams,
            dropout=dropout,
            accumulator=accumulator,
            history=history,
        )
        done = last = go_on(progress, checkpoints, processes, log)
        for step in range(done + 1, steps + 1):
            draw = streams.draw()
            task = tasks[draw.task]
            sums = processes.join(accumulator.run(step, task, processes.share(draw.features)), parameters)
            meter.see(sums.tokens, sums.padded_tokens)
            if model.fusion is not None:
                model.fusion.add_penalty_gradients(max(1, sums.units))
            rate = settings.rate(step - 1, steps)
            norm = apply(
                optimiser, parameters, rate=rate, count=sums.units, clip=settings.clip, words=model.trained_words
            )
            try:
                meter.add(step, sums.total, sums.units, norm, rate)
            except DivergedError:
                if checkpoints is not None:
                    checkpoints.clear()  # it would only break down again
                raise
            last = step
            if step in moments and best is not None:
                scores = {task.name: dev_score(model, task) for task in tasks if task.dev is not None}
                best.offer(sum(scores.values()) / len(scores), step)
                record({"step": step, "steps": steps, "dev": scores})
                if stopping and stops_early(history, best.step, stopping["patience"]):
                    meter.end(step, rate)
                    record({"step": step, "steps": steps, "stopped_early": True})
                    break
            elif step in moments and mean is not None:
                mean.add(step)
            if checkpoints is not None and step < steps:
                save(progress, checkpoints, processes, step, log, steps=steps)
    if bottom is not None:
        bottom.save()
    if progress.kept is not None:
        progress.kept.restore()
    if whole is not model:
        collect(model, whole)
    check_finite(whole.trainable(), meter)
    whole.eval()
    return TrainResult(
        steps=last,
        first_loss=meter.first,
        last_loss=meter.last,
        tokens=meter.tokens,
        padded_tokens=meter.padded_tokens,
        seconds=time.perf_counter() - began,
        dev_score=best.score if best else None,
        selected_step=progress.kept.step if progress.kept else last,
        steps_by_task=streams.tally.steps,
        sampling=streams.tally.as_json(),
        resumed_at=done,
        halvings=tuple(accumulator.halvings),
        processes=processes.count,
        sharding=FSDP if processes.shards else "",
    )


@contextmanager
def _options(model: TransferModel, settings: TrainSettings) -> Iterator[Forward]:
    """What computes hidden states under these settings; the model is as before afterwards."""
    model.recompute = settings.gradient_checkpointing
    try:
        yield torch.compile(model, dynamic=True) if settings.compile else model
    finally:
        model.recompute = False


def check_finite(named: Mapping[str, Tensor], meter: Meter) -> None:
    """Refuse weights that the last step, or a mean, has broken."""
    bad = [name for name, tensor in named.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise meter.failure(meter.steps, f"weights are not finite ({bad[0]})")
