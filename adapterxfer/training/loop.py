"""The training loop: any variant, any format, one or several tasks.

A step of a tiny model takes 10 ms, so the loop does nothing per step that could be done before. The loss of a step is
the sum over all units of its effective batch divided by their number, however the batch was split: gradients of sums
are added up and scaled once, together with clipping.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError
from adapterxfer.formats.base import whole_batch
from adapterxfer.training.batches import feature_batches, micro_batches, task_choices
from adapterxfer.training.device import accelerator_for
from adapterxfer.training.mixing import CHOICES, Tally, plan_steps
from adapterxfer.training.seeds import derive_seed, numpy_generator
from adapterxfer.training.selection import BestWeights, dev_score, evaluation_steps
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.model import TransferModel

Log = Callable[[Mapping[str, Any]], None]

LOG_EVERY = 25
"""Steps between two lines of the log; the loss in a line is the mean over them."""

TOKEN_BUDGET = 16_384
"""Default of rows times width of one forward pass in training; not part of a stage's identity."""

DIVERGED = 20.0
"""A mean loss that is this many times the first one is a divergence."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What happened.

    Attributes:
        steps: optimiser steps.
        first_loss: mean loss over the first logged steps.
        last_loss: mean loss over the last logged steps.
        tokens: real tokens seen.
        padded_tokens: tokens computed, padding included.
        seconds: wall time of the loop.
        dev_score: of the selected weights, in points; None without dev selection.
        selected_step: step the weights are from.
        steps_by_task: optimiser steps each task got.
        sampling: declared and realised shares, see `Tally.as_json`; None for one task in one language.
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

    def as_json(self) -> dict[str, Any]:
        """JSON values; without ``sampling`` where there was nothing to share."""
        return {name: value for name, value in asdict(self).items() if name != "sampling" or value is not None}


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
) -> TrainResult:
    """Train the parts of ``model`` that its composition lets train.

    Args:
        model: moved to the device, left in evaluation mode.
        tasks: each has a head in the model; every step trains one of them.
        settings: see `TrainSettings`.
        seed: of the order of features, the choice of tasks, and dropout.
        log: takes ``{step, steps, loss, learning_rate}`` every `LOG_EVERY` steps and dev scores.
        sampling: how the task of a step is chosen where there are several; see `task_weights`.
        device: ``cpu`` or ``auto``.
        token_budget: rows times width of one forward pass.

    Raises:
        StageError: loss or gradient is not finite, or the loss diverged.
    """
    accelerator = accelerator_for(settings.dtype, device)
    model.to(accelerator.device).train()
    plan = plan_steps(tasks, settings, sampling)
    steps = plan.steps
    streams = [
        iter(task.mixture.batches)
        if task.mixture is not None
        else feature_batches(
            [feature.length for feature in task.features],
            batch_size=settings.batch_size,
            rng=numpy_generator(seed, "order", task.name),
        )
        for task in tasks
    ]
    choices = task_choices(plan.weights, numpy_generator(seed, CHOICES))
    heads = [model.head(task.name) for task in tasks]
    parameters = list(model.trainable().values())
    optimiser = _optimiser(parameters, settings)
    best = BestWeights(model) if settings.selection == "dev" else None
    moments = evaluation_steps(steps) if best else frozenset()
    on_cpu = accelerator.device.type == "cpu"
    meter = Meter(steps, log, settings)
    tally = Tally(tasks, plan.weights)
    began = time.perf_counter()
    with _seeded(derive_seed(seed, "dropout"), accelerator.device):
        for step in range(1, steps + 1):
            which = next(choices)
            task, head = tasks[which], heads[which]
            indices = next(streams[which])
            tally.see(which, indices)
            features = [task.features[index] for index in indices]
            units = 0
            total: Tensor | float = 0.0
            parts = [features] if whole_batch(task.format) else micro_batches(features, token_budget=token_budget)
            for part in parts:
                batch = task.format.collate(part, pad_id=task.pad_id)
                meter.see(batch.attention_mask)
                if not on_cpu:
                    batch = batch.to(accelerator.device)
                with accelerator.autocast():
                    hidden = model(batch.input_ids, batch.attention_mask)
                    loss = task.format.loss(head(hidden, batch), batch)
                accelerator.backward(loss.total)
                units += loss.units
                total = total + loss.total.detach()
            if model.fusion is not None:
                model.fusion.add_penalty_gradients(max(1, units))
            rate = settings.rate(step - 1, steps)
            norm = _apply(optimiser, parameters, rate=rate, count=units, clip=settings.clip)
            meter.add(step, total, units, norm, rate)
            if best is not None and step in moments:
                scores = {task.name: dev_score(model, task) for task in tasks if task.dev is not None}
                best.offer(sum(scores.values()) / len(scores), step)
                log({"step": step, "steps": steps, "dev": scores})
    if best is not None:
        best.restore()
    model.eval()
    return TrainResult(
        steps=steps,
        first_loss=meter.first,
        last_loss=meter.last,
        tokens=meter.tokens,
        padded_tokens=meter.padded_tokens,
        seconds=time.perf_counter() - began,
        dev_score=best.score if best else None,
        selected_step=best.step if best else steps,
        steps_by_task=tally.steps,
        sampling=tally.as_json(),
    )


class Meter:
    """Mean losses between log lines, token counts, and the check that training has not broken down.

    Args:
        steps: of the whole training.
        log: takes a line every `LOG_EVERY` steps.
        settings: named in errors.
    """

    def __init__(self, steps: int, log: Log, settings: TrainSettings) -> None:
        self.steps, self.log, self.settings = steps, log, settings
        self.tokens = self.padded_tokens = 0
        self.first = self.last = math.nan
        self._sum: Tensor | float = 0.0
        self._worst: Tensor | float = 0.0
        self._steps = 0

    def see(self, attention_mask: Tensor) -> None:
        """Count the tokens of a micro-batch."""
        self.tokens += int(attention_mask.sum())
        self.padded_tokens += attention_mask.numel()

    def add(self, step: int, total: Tensor | float, count: int, norm: Tensor, rate: float) -> None:
        """Take the summed loss over ``count`` units and the gradient norm of a 1-based step.

        Raises:
            StageError: at a log line, if a loss or gradient since the last was not finite, or the loss diverged.
        """
        # Kept on the device: an accelerator is waited for at log lines only.
        self._sum = self._sum + total / max(1, count)
        self._worst = self._worst + norm
        self._steps += 1
        if step % LOG_EVERY and step != self.steps:
            return
        loss = float(self._sum) / self._steps
        if not (math.isfinite(loss) and math.isfinite(float(self._worst))):
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise self._failure(step, f"the {what} is not finite")
        if math.isnan(self.first):
            self.first = loss
        if loss > DIVERGED * max(self.first, 0.1):
            raise self._failure(step, f"the loss grew from {self.first:.3g} to {loss:.3g}")
        self.last = loss
        self.log({"step": step, "steps": self.steps, "loss": round(loss, 5), "learning_rate": rate})
        self._sum, self._worst, self._steps = 0.0, 0.0, 0

    def _failure(self, step: int, what: str) -> StageError:
        return StageError(
            f"training diverged: {what} at step {step} of {self.steps} (learning rate {self.settings.learning_rate:g})",
            fix="lower learning_rate, raise warmup_fraction, or use dtype: fp32",
        )


def _optimiser(parameters: Sequence[nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW that decays matrices and leaves biases and norms alone."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, fused=True)


def _apply(
    optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], *, rate: float, count: int, clip: float
) -> Tensor:
    """Divide the summed gradients by ``count``, clip, step; returns the norm before clipping.

    ``count`` is 0 where no unit of the batch has a label: then nothing is learnt from it.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients) / max(1, count)
    scale = torch.clamp(clip / (norm + 1e-6), max=1.0) / max(1, count) if clip else norm.new_tensor(1 / max(1, count))
    torch._foreach_mul_(gradients, scale)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm


class _seeded:  # noqa: N801 - used as a context manager
    """Own dropout stream inside, the caller's random state untouched outside."""

    def __init__(self, seed: int, device: torch.device) -> None:
        devices = [device.index or 0] if device.type == "cuda" else []
        self._fork = torch.random.fork_rng(devices=devices)
        self._seed = seed

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)
