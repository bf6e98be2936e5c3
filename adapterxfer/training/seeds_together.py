"""Several seeds of one training in one batched pass: each keeps all that it has alone, they share the calls.

Every seed has its own start values, order of examples, head, loss over its own effective batch, clipping by its own
norm, losses in the log, selection and check against divergence; rates and steps are the same for all of one training.
What differs from training the seeds one by one is rounding (rows are padded to the width of the longest, products are
batched), and the masks of dropout, which are drawn for all rows of a step at once. So the seeds of a group are a part
of what identifies its result.

A seed that diverges is given up and told apart; its rows go on being computed, so that the others stay what they are,
bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageError
from adapterxfer.training.device import device_context
from adapterxfer.training.loop import TOKEN_BUDGET, TrainResult, check_finite
from adapterxfer.training.meter import DivergedError, Log, Meter
from adapterxfer.training.mixing import plan_steps
from adapterxfer.training.parallel import Processes
from adapterxfer.training.resume import TrainingProgress, go_on, save
from adapterxfer.training.seed_table import SeedTable
from adapterxfer.training.seeds import DropoutStream, derive_seed
from adapterxfer.training.selection import BY_SCORE, BestWeights, MeanWeights, dev_score, evaluation_steps, mean_steps
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.streams import Streams
from adapterxfer.training.tasks import TrainTask
from adapterxfer.training.together_batches import TogetherAccumulator
from adapterxfer.variants.adapters_together import check_alike
from adapterxfer.variants.model import TransferModel

CPU_TOKENS = 2048
"""Default of rows times width of one forward pass on a CPU, where activations of larger parts leave the cache."""


def train_together(
    models: Mapping[int, TransferModel],
    task: TrainTask,
    settings: TrainSettings,
    *,
    log: Log,
    device: str = "cpu",
    token_budget: int | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[int, TrainResult | DivergedError]:
    """Train one model of each seed on a task.

    Args:
        models: by seed, of one composition over one frozen backbone; afterwards in evaluation mode, on the device.
        task: each model has a head for it.
        settings: see `TrainSettings`; ``batch_size`` is that of each seed.
        log: takes ``{seed, step, steps, loss, learning_rate}``.
        device: as in `device_context`.
        token_budget: rows times width of one forward pass, all seeds together; None for what is fast on the device.
        checkpoints: where to save and go on; one series for the group.

    Returns:
        What happened, by seed. ``seconds`` of each is its share of the group's.

    Raises:
        DivergedError: of the first seed, where all of them diverged.
        StageStopped: the checkpoints were asked to stop; everything is saved.
        StageError: one example of each seed does not fit into memory, or settings or processes that cannot be combined.
        VariantError: models that cannot be trained together.
    """
    context = device_context(settings.dtype, device)
    processes = Processes(context)
    _check(settings, processes)
    seeds, members = list(models), list(models.values())
    check_alike(members)
    for model in members:
        model.to(context.device).train()
        model.recompute = settings.gradient_checkpointing
    budget = token_budget or (CPU_TOKENS if context.device.type == "cpu" else TOKEN_BUDGET)
    plan = plan_steps([task], settings, None)
    steps, table = plan.steps, SeedTable(members, settings)
    best = _Best(models) if settings.selection in BY_SCORE else None
    mean = MeanWeights(table) if settings.selection == "mean" else None
    moments = evaluation_steps(steps) if best else mean_steps(steps, settings.mean_of) if mean else frozenset()
    history: list[Mapping[str, Any]] = []

    def record(line: Mapping[str, Any]) -> None:
        history.append(line)
        log(line)

    meters = _Meters(seeds, steps, record, settings)
    streams = _Streams({seed: Streams([task], settings, plan, seed=seed) for seed in seeds})
    began = time.perf_counter()
    with DropoutStream(derive_seed(seeds[0], "dropout", *map(str, seeds)), context.device) as dropout:
        accumulator = TogetherAccumulator(members, table, context, token_budget=budget, dropout=dropout, log=log)
        progress = TrainingProgress(
            named=table.trainable(),
            optimiser=table.optimiser,
            kept=best or mean,
            meter=meters,
            streams=streams,
            dropout=dropout,
            accumulator=accumulator,
            history=history,
        )
        done = go_on(progress, checkpoints, processes, log)
        for step in range(done + 1, steps + 1):
            sums = accumulator.run(step, task, streams.draw())
            rate = settings.rate(step - 1, steps)
            norms = table.apply(rate=rate, counts=[each.units for each in sums], clip=settings.clip)
            for seed, each, norm in zip(seeds, sums, norms.unbind(), strict=True):
                meters.see(seed, each.tokens, each.padded_tokens)
                meters.add(seed, step, each.total, each.units, norm, rate)
            if len(meters.failed) == len(seeds):
                if checkpoints is not None:
                    checkpoints.clear()  # they would only break down again
                raise meters.failed[seeds[0]]
            if step in moments and best is not None:
                for seed, model in models.items():
                    if seed not in meters.failed:
                        score = dev_score(model, task)
                        best.of[seed].offer(score, step)
                        record({"seed": seed, "step": step, "steps": steps, "dev": {task.name: score}})
            elif step in moments and mean is not None:
                mean.add(step)
            if checkpoints is not None and step < steps:
                save(progress, checkpoints, processes, step, log, steps=steps)
    if progress.kept is not None:
        progress.kept.restore()
    table.release()
    seconds = (time.perf_counter() - began) / len(seeds)
    results: dict[int, TrainResult | DivergedError] = {}
    for seed, model in models.items():
        model.recompute = False
        model.eval()
        meter, tally = meters.of[seed], streams.of[seed].tally
        try:
            if seed not in meters.failed:
                check_finite(model.trainable(), meter)
        except DivergedError as error:
            meters.failed[seed] = error
        results[seed] = meters.failed.get(seed) or TrainResult(
            steps=steps,
            first_loss=meter.first,
            last_loss=meter.last,
            tokens=meter.tokens,
            padded_tokens=meter.padded_tokens,
            seconds=seconds,
            dev_score=best.of[seed].score if best is not None else None,
            selected_step=best.of[seed].step if best is not None else mean.step if mean is not None else steps,
            steps_by_task=tally.steps,
            resumed_at=done,
            halvings=tuple(accumulator.halvings),
        )
    return results


def _check(settings: TrainSettings, processes: Processes) -> None:
    problems = [name for name in ("compile", "cache_bottom") if getattr(settings, name)]
    if processes.count > 1:
        problems.append(f"{processes.count} processes")
    if problems:
        raise StageError(
            f"several seeds in one pass cannot be combined with {', '.join(problems)}",
            fix="leave seeds_together out of the recipe, or what it is combined with",
        )


class _Meters:
    """The meter of every seed, and the errors of those that broke down."""

    def __init__(self, seeds: list[int], steps: int, log: Log, settings: TrainSettings) -> None:
        self._log = log
        self.of = {seed: Meter(steps, _named(log, seed), settings) for seed in seeds}
        self.failed: dict[int, DivergedError] = {}

    def see(self, seed: int, tokens: int, padded_tokens: int) -> None:
        if seed not in self.failed:
            self.of[seed].see(tokens, padded_tokens)

    def add(self, seed: int, step: int, total: Tensor, count: int, norm: Tensor, rate: float) -> None:
        if seed in self.failed:
            return
        try:
            self.of[seed].add(step, total, count, norm, rate)
        except DivergedError as error:
            self.failed[seed] = error
            self._log({"seed": seed, "step": step, "diverged": error.what})

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        for seed, meter in self.of.items():
            values, facts[str(seed)] = meter.state()
            tensors |= {f"{seed}.{name}": tensor for name, tensor in values.items()}
        failed = {str(seed): [error.what, error.fix] for seed, error in self.failed.items()}
        return tensors, {"seeds": facts, "failed": failed}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        for seed, meter in self.of.items():
            meter.restore(_of_seed(tensors, seed), facts["seeds"][str(seed)], device)
        self.failed = {int(seed): DivergedError(cause, fix=fix) for seed, (cause, fix) in facts["failed"].items()}


class _Best:
    """The weights of every seed at its own best score."""

    def __init__(self, models: Mapping[int, TransferModel]) -> None:
        self.of = {seed: BestWeights(model) for seed, model in models.items()}

    @property
    def step(self) -> int:
        return max(best.step for best in self.of.values())

    def restore(self) -> None:
        for best in self.of.values():
            if best.step:  # otherwise it diverged before it was evaluated
                best.restore()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        states = {str(seed): best.state() for seed, best in self.of.items()}
        tensors = {
            f"{seed}.{name}": tensor for seed, (weights, _) in states.items() for name, tensor in weights.items()
        }
        return tensors, {seed: facts for seed, (_, facts) in states.items()}

    def restore_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        for seed, best in self.of.items():
            best.restore_state(_of_seed(tensors, seed), facts[str(seed)], device)


class _Streams:
    """What every seed draws."""

    def __init__(self, of: Mapping[int, Streams]) -> None:
        self.of = of

    def draw(self) -> list[Any]:
        """Features of one step, the batch of one seed after that of another."""
        return [feature for streams in self.of.values() for feature in streams.draw().features]

    def states(self) -> list[Any]:
        return [streams.states() for streams in self.of.values()]

    def skip(self, steps: int) -> None:
        for streams in self.of.values():
            streams.skip(steps)


def _of_seed(tensors: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Tensors of one seed, by their own names."""
    beginning = f"{seed}."
    return {name.removeprefix(beginning): t for name, t in tensors.items() if name.startswith(beginning)}


def _named(log: Log, seed: int) -> Log:
    return lambda line: log({"seed": seed, **line})
