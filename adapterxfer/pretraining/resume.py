"""A pretraining in the middle as tensors and JSON, and back: whoever goes on computes what would have been computed.

Order and masks of every step are drawn from the seed and the number of the step, and there is no dropout, so weights,
optimiser and counts are the whole state.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.durable.optimiser import optimiser_state, restore_optimiser
from adapterxfer.errors import StageError, StageStopped
from adapterxfer.pretraining.batches import StreamBatch

Log = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class PretrainingProgress:
    """What a pretraining has done, weights aside.

    Attributes:
        step: last step that is done.
        tokens: seen so far, padding excluded.
        running: sum of the losses since the last line of the log.
        curve: points measured so far.
        history: lines logged so far.
        resumed_at: step of the checkpoint this run went on from; 0 for none.
    """

    step: int = 0
    tokens: int = 0
    running: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    history: list[Mapping[str, Any]] = field(default_factory=list)
    resumed_at: int = 0
    _spent: float = 0.0
    _began: float | None = None

    @property
    def seconds(self) -> float:
        """Wall time of training, over all runs, without measuring; what a kill lost is not in it."""
        return self._spent + (0.0 if self._began is None else time.perf_counter() - self._began)

    def resume_clock(self) -> None:
        """Count time from now on."""
        self._began = time.perf_counter()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Time inside is not counted."""
        self._spent, self._began = self.seconds, None
        try:
            yield
        finally:
            self.resume_clock()

    def tell(self, log: Log, line: Mapping[str, Any]) -> None:
        """Log a line and keep it, so that the log of a run that goes on begins at the beginning."""
        self.history.append(line)
        log(line)

    def facts(self) -> dict[str, Any]:
        """JSON values for `from_facts`."""
        return {
            "tokens": self.tokens,
            "running": self.running,
            "curve": self.curve,
            "history": list(self.history),
            "seconds": self.seconds,
        }

    @classmethod
    def from_facts(cls, step: int, facts: Mapping[str, Any]) -> PretrainingProgress:
        """What `facts` gave after ``step``."""
        return cls(
            step=step,
            tokens=int(facts["tokens"]),
            running=float(facts["running"]),
            curve=list(facts["curve"]),
            history=list(facts["history"]),
            resumed_at=step,
            _spent=float(facts["seconds"]),
        )


class Saving:
    """Saves one pretraining, and goes on.

    Args:
        checkpoints: where they are kept; with None nothing is saved.
        named: the parameters that are saved, tied ones once, by one name whatever version of the libraries.
        optimiser: of these parameters.
        plan: the batches: a checkpoint of other batches is refused.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        named: Mapping[str, nn.Parameter],
        optimiser: torch.optim.Optimizer,
        plan: Sequence[StreamBatch],
    ) -> None:
        self._checkpoints, self._optimiser = checkpoints, optimiser
        self._named = dict(named)
        self._order = "" if checkpoints is None else _digest(plan)

    def go_on(self, log: Log) -> PretrainingProgress:
        """Restore the newest checkpoint, or begin.

        Raises:
            StageError: it belongs to other batches or weights.
        """
        saved = self._checkpoints.load() if self._checkpoints is not None else None
        if saved is None:
            return PretrainingProgress()
        weights = {name: saved.tensors.get(f"weights/{name}") for name in self._named}
        if saved.facts["order"] != self._order or any(
            tensor is None or tensor.shape != self._named[name].shape for name, tensor in weights.items()
        ):
            raise StageError(
                "checkpoint: it belongs to a pretraining of other batches or another shape, as other versions of the "
                "libraries would draw them",
                fix="remove the folder .resume in the store and run again",
            )
        with torch.no_grad():
            for name, parameter in self._named.items():
                parameter.copy_(saved.tensors[f"weights/{name}"])
        prefix = "optimiser/"
        moments = {n.removeprefix(prefix): t for n, t in saved.tensors.items() if n.startswith(prefix)}
        restore_optimiser(self._optimiser, self._named, moments)
        state = PretrainingProgress.from_facts(saved.step, saved.facts)
        for line in state.history:
            log(line)
        log({"resumed": saved.step})
        return state

    def save_if_due(self, state: PretrainingProgress, log: Log) -> None:
        """Write a checkpoint where it is time to, and end where somebody asks for it.

        Raises:
            StageStopped: everything is saved.
            OSError: it should end, and the state could not be written.
        """
        checkpoints = self._checkpoints
        if checkpoints is None or not (checkpoints.stopping or checkpoints.due(state.step)):
            return
        stopping = checkpoints.stopping
        tensors: dict[str, Tensor] = {f"weights/{name}": parameter for name, parameter in self._named.items()}
        tensors |= {f"optimiser/{n}": t for n, t in optimiser_state(self._optimiser, self._named).items()}
        try:
            checkpoints.save(state.step, tensors, {**state.facts(), "order": self._order})
        except OSError as error:
            if stopping:
                raise
            why = error.strerror or type(error).__name__
            log({"warning": f"checkpoint not written: {why}", "step": state.step})
        if stopping:
            raise StageStopped(
                f"stopped after step {state.step} and saved", fix="run the same command again to continue"
            )

    def clear(self) -> None:
        """Remove what was saved."""
        if self._checkpoints is not None:
            self._checkpoints.clear()


def _digest(plan: Sequence[StreamBatch]) -> str:
    """Of the order of all sequences."""
    digest = hashlib.sha256()
    for batch in plan:
        digest.update(np.asarray(batch.streams, dtype=np.int16).tobytes())
        digest.update(np.asarray(batch.rows, dtype=np.int64).tobytes())
    return digest.hexdigest()
