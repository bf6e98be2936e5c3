"""A training in the middle as tensors and JSON, and back: whoever goes on computes what would have been computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.durable.checkpoints import Saved
from adapterxfer.durable.optimiser import optimiser_state, restore_optimiser
from adapterxfer.errors import StageError
from adapterxfer.training.meter import Meter
from adapterxfer.training.micro import Accumulator
from adapterxfer.training.parallel import Processes
from adapterxfer.training.seeds import DropoutStream
from adapterxfer.training.selection import KeptWeights
from adapterxfer.training.streams import Streams


@dataclass(frozen=True, slots=True)
class Progress:
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
    meter: Meter
    streams: Streams
    dropout: DropoutStream
    accumulator: Accumulator
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
                parameter.copy_(weights[name])
        restore_optimiser(self.optimiser, self.named, parts.get("optimiser", {}))
        self.meter.restore(parts["meter"], saved.facts["meter"], device)
        if self.kept is not None:
            self.kept.restore_state(parts.get("kept", {}), saved.facts["kept"], device)
        self.streams.skip(saved.step)
        if self.streams.states() != saved.facts["streams"]:
            raise _misfit("the order of its examples cannot be drawn again with this numpy")
        # The smaller one: it shrank before the stop, or whoever runs it again gave less because memory ran out.
        self.accumulator.token_budget = min(self.accumulator.token_budget, int(saved.facts["token_budget"]))
        self.accumulator.halvings = list(saved.facts["halvings"])
        self.history[:] = saved.facts["history"]
        self.dropout.set_state({name: state.clone() for name, state in processes.own(parts["dropout"]).items()})


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        part, _, name = full.partition("/")
        found.setdefault(part, {})[name] = tensor
    return found


def _misfit(what: str) -> StageError:
    return StageError(f"checkpoint: {what}", fix="remove the folder .resume in the store and run again")
