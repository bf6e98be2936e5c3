"""A training in the middle as tensors and JSON, and back: whoever goes on computes what would have been computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from adapterxfer.durable.checkpoints import Checkpoints, Saved
from adapterxfer.durable.optimiser import optimiser_state, restore_optimiser
from adapterxfer.errors import StageError, StageStopped
from adapterxfer.training.meter import Log
from adapterxfer.training.parallel import Processes
from adapterxfer.training.seeds import DropoutStream
from adapterxfer.training.selection import KeptWeights
from adapterxfer.training.sharding import gathered_state, placed_like


class Seen(Protocol):
    """Losses and counts: a `Meter`, or several."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values from which `restore` goes on."""

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""


class Drawn(Protocol):
    """What the next step sees: `Streams`, or those of several seeds."""

    def states(self) -> list[Any]:
        """JSON values that tell where the draws are."""

    def skip(self, steps: int) -> None:
        """Draw the steps of an earlier run again."""


class Budgeted(Protocol):
    """Whatever cuts batches into parts."""

    token_budget: int
    halvings: list[dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """Everything of a training that changes from step to step.

    Attributes:
        named: parameters that train, by name.
        optimiser: of these parameters.
        kept: weights that selection remembers; None where the last ones count.
        meter: losses and counts.
        streams: what the next step sees.
        dropout: random states.
        accumulator: its budget shrinks where memory ran out.
        history: lines of the log that belong to the numbers.
    """

    named: Mapping[str, nn.Parameter]
    optimiser: torch.optim.Optimizer
    kept: KeptWeights | None
    meter: Seen
    streams: Drawn
    dropout: DropoutStream
    accumulator: Budgeted
    history: list[Mapping[str, Any]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values, between two steps."""
        tensors: dict[str, Tensor] = {f"weights/{name}": parameter for name, parameter in self.named.items()}
        tensors |= {f"optimiser/{n}": t for n, t in optimiser_state(self.optimiser, self.named).items()}
        tensors |= {f"dropout/{name}": state for name, state in self.dropout.state().items()}
        sums, meter = self.meter.state()
        tensors |= {f"meter/{name}": tensor for name, tensor in sums.items()}
        facts: dict[str, Any] = {
            "meter": meter,
            "streams": self.streams.states(),
            "token_budget": self.accumulator.token_budget,
            "halvings": self.accumulator.halvings,
            "history": list(self.history),
        }
        if self.kept is not None:
            weights, facts["kept"] = self.kept.state()
            tensors |= {f"kept/{name}": tensor for name, tensor in weights.items()}
        return tensors, facts

    def restore(self, saved: Saved, processes: Processes) -> None:
        """Go on from a checkpoint of the same stage.

        Raises:
            StageError: it does not fit, which only happens where libraries changed in between.
        """
        parts = _parts(saved.tensors)
        weights = parts["weights"]
        if weights.keys() != self.named.keys():
            raise _misfit("its weights have other names")
        device = next(iter(self.named.values())).device
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(placed_like(weights[name], parameter))
        restore_optimiser(self.optimiser, self.named, parts.get("optimiser", {}), placed=placed_like)
        self.meter.restore(parts["meter"], saved.facts["meter"], device)
        if self.kept is not None:
            kept = {  # those of several seeds have names of their own; they are never in shards
                name: placed_like(tensor, self.named[name]) if name in self.named else tensor
                for name, tensor in parts.get("kept", {}).items()
            }
            self.kept.restore_state(kept, saved.facts["kept"], device)
        self.streams.skip(saved.step)
        if self.streams.states() != saved.facts["streams"]:
            raise _misfit("the order of its examples cannot be drawn again with this numpy")
        # The smaller one: it shrank before the stop, or whoever runs it again gave less because memory ran out.
        self.accumulator.token_budget = min(self.accumulator.token_budget, int(saved.facts["token_budget"]))
        self.accumulator.halvings = list(saved.facts["halvings"])
        self.history[:] = saved.facts["history"]
        self.dropout.set_state({name: state.clone() for name, state in processes.own(parts["dropout"]).items()})


def go_on(progress: TrainingProgress, checkpoints: Checkpoints | None, processes: Processes, log: Log) -> int:
    """Restore the newest checkpoint; returns its step, 0 where there is none."""
    saved = checkpoints.load() if checkpoints is not None else None
    if saved is None:
        return 0
    progress.restore(saved, processes)
    for line in progress.history:
        log(line)
    log({"resumed": saved.step})
    return saved.step


def save(
    progress: TrainingProgress, checkpoints: Checkpoints, processes: Processes, step: int, log: Log, *, steps: int = 0
) -> None:
    """Write a checkpoint if one is due, and end if somebody asks for it.

    Args:
        steps: of the whole training; 0 where that is not known.

    Raises:
        StageStopped: somebody asked; everything is saved.
    """
    stopping, due = processes.agree(checkpoints.stopping, checkpoints.due(step, steps))
    if not (stopping or due):
        return
    tensors, facts = progress.state()
    dropout = {name: tensor for name, tensor in tensors.items() if name.startswith("dropout/")}
    tensors = gathered_state(tensors, keep=processes.first) | processes.gather(dropout)
    if processes.first:
        try:
            checkpoints.save(step, tensors, facts)
        except OSError as error:
            if stopping:
                raise
            log({"warning": f"checkpoint not written: {error.strerror or type(error).__name__}", "step": step})
    processes.wait()
    if stopping:
        raise StageStopped(f"stopped after step {step} and saved", fix="run the same command again to continue")


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        group, _, name = full.partition("/")
        groups.setdefault(group, {})[name] = tensor
    return groups


def _misfit(cause: str) -> StageError:
    return StageError(f"checkpoint: {cause}", fix="remove the folder .resume in the store and run again")
