"""What a training has seen so far, and the check that it has not broken down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from adapterxfer.durable.beats import BEAT, BEAT_S
from adapterxfer.errors import StageError
from adapterxfer.training.settings import TrainSettings

Log = Callable[[Mapping[str, Any]], None]

LOG_EVERY = 25
"""Steps between two lines of the log; the loss in a line is the mean over them."""

DIVERGED = 20.0
"""A mean loss that is this many times the first one is a divergence; for the first mean, the loss of the first step."""

LEAST_FIRST_STEP = 1.0
"""One batch says little: the first step counts as no less than this, or a lucky batch would end a good training."""


class DivergedError(StageError):
    """A training whose loss, gradient or weights are no numbers any more, or whose loss exploded."""


class Meter:
    """Mean losses between log lines, token counts, and the check that training has not broken down.

    Args:
        steps: of the whole training.
        log: takes a line every `LOG_EVERY` steps.
        settings: named in errors.
        show: takes the step and the loss so far between these lines, where they are far apart in time.
    """

    def __init__(self, steps: int, log: Log, settings: TrainSettings, show: Log | None = None) -> None:
        self.steps, self.log, self.settings = steps, log, settings
        self._show, self._shown = show, time.monotonic()
        self.tokens = self.padded_tokens = 0
        self.first = self.last = math.nan
        self._begin: Tensor | float = math.nan
        self._sum: Tensor | float = 0.0
        self._worst: Tensor | float = 0.0
        self._steps = 0

    def see(self, tokens: int, padded_tokens: int) -> None:
        """Count the tokens of a step."""
        self.tokens += tokens
        self.padded_tokens += padded_tokens

    def add(self, step: int, total: Tensor | float, count: int, norm: Tensor, rate: float) -> None:
        """Take the summed loss over ``count`` units and the gradient norm of a 1-based step.

        Raises:
            DivergedError: at a log line, if a loss or gradient since the last was not finite, or the loss diverged.
        """
        # Kept on the device: an accelerator is waited for at log lines only.
        if step == 1:
            self._begin = total / max(1, count)
        self._sum = self._sum + total / max(1, count)
        self._worst = self._worst + norm
        self._steps += 1
        if step % LOG_EVERY and step != self.steps:
            self._beat(step)
        else:
            self._line(step, rate)

    def end(self, step: int, rate: float) -> None:
        """Write the line of the steps since the last one, where a training ends before its time.

        Raises:
            DivergedError: as `add`.
        """
        if self._steps:
            self._line(step, rate)

    def _line(self, step: int, rate: float) -> None:
        self._shown = time.monotonic()
        loss = float(self._sum) / self._steps
        if not (math.isfinite(loss) and math.isfinite(float(self._worst))):
            broken = "loss" if not math.isfinite(loss) else "gradient"
            raise self.failure(step, f"the {broken} is not finite")
        if math.isnan(self.first):
            # A training that breaks down at once would otherwise be measured by its own ruins.
            begin = float(self._begin)
            if loss > DIVERGED * max(begin, LEAST_FIRST_STEP):
                raise self.failure(step, f"the loss grew from {begin:.3g} to {loss:.3g}")
            self.first = loss
        if loss > DIVERGED * max(self.first, 0.1):
            raise self.failure(step, f"the loss grew from {self.first:.3g} to {loss:.3g}")
        self.last = loss
        self.log({"step": step, "steps": self.steps, "loss": round(loss, 5), "learning_rate": rate})
        self._sum, self._worst, self._steps = 0.0, 0.0, 0

    def _beat(self, step: int) -> None:
        if self._show is not None and time.monotonic() - self._shown >= BEAT_S:
            self._shown = time.monotonic()
            loss = float(self._sum) / self._steps
            self._show({BEAT: True, "step": step, "steps": self.steps, "loss": round(loss, 5)})

    def failure(self, step: int, why: str) -> DivergedError:
        """The error to raise."""
        return DivergedError(
            f"training diverged: {why} at step {step} of {self.steps} (learning rate {self.settings.learning_rate:g})",
            fix="lower learning_rate, raise warmup_fraction, or use dtype: fp32",
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values from which `restore` goes on."""
        tensors = {"sum": self._sum, "worst": self._worst, "begin": self._begin}
        losses = {name: None if math.isnan(value) else value for name, value in self._losses().items()}
        counts = {"tokens": self.tokens, "padded_tokens": self.padded_tokens, "steps": self._steps}
        return {name: torch.as_tensor(value) for name, value in tensors.items()}, {**losses, **counts}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""
        self._sum, self._worst, self._begin = (tensors[name].to(device) for name in ("sum", "worst", "begin"))
        self.first, self.last = (math.nan if facts[n] is None else float(facts[n]) for n in ("first", "last"))
        self.tokens, self.padded_tokens = int(facts["tokens"]), int(facts["padded_tokens"])
        self._steps = int(facts["steps"])

    def _losses(self) -> dict[str, float]:
        return {"first": self.first, "last": self.last}
