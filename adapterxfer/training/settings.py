"""Settings of one training, read from a stage identity: all of them change the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from adapterxfer.errors import StageError

Schedule = Literal["linear", "cosine", "constant"]
Dtype = Literal["fp32", "bf16"]
Selection = Literal["last", "dev", "mean", "oracle"]

_DTYPES = {"float32": "fp32", "bfloat16": "bf16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How to train.

    Attributes:
        learning_rate: peak of AdamW.
        batch_size: features of one optimiser step, whatever fits into memory at once.
        max_length: longest sequence in tokens, special tokens included.
        steps: optimiser steps; exclusive with ``epochs``.
        epochs: passes over the training features, rounded up to whole steps.
        warmup_fraction: share of the steps over which the rate rises linearly from 0.
        schedule: what follows: ``linear`` or ``cosine`` fall to 0, or ``constant``.
        weight_decay: of AdamW, on matrices only.
        clip: largest gradient norm; 0 for no limit.
        dtype: ``fp32``, or ``bf16`` autocast.
        selection: weights after the last step (``last``), those with the best English dev score of `EVALUATIONS`
            moments (``dev``), or the mean of the last ``mean_of`` moments (``mean``; see `selection.mean_steps`).
            ``oracle`` is ``dev`` with the target languages, a diagnostic.
        mean_of: moments that ``selection: mean`` averages.
        gradient_checkpointing: compute activations inside layers again instead of keeping them.
        compile: run the encoder through torch.compile.
        cache_bottom: keep the states below the lowest adapter, which then see no dropout; see `bottom`.
        seeds_together: all seeds of the recipe are trained in one pass; see `together`.
        early_stopping: ``{patience, every}``: a dev score every so many steps, and the end after ``patience`` of them
            without a better one; the best weights count. None for training to the last step.
    """

    learning_rate: float
    batch_size: int
    max_length: int = 128
    steps: int | None = None
    epochs: float | None = None
    warmup_fraction: float = 0.1
    schedule: Schedule = "linear"
    weight_decay: float = 0.0
    clip: float = 1.0
    dtype: Dtype = "fp32"
    selection: Selection = "last"
    mean_of: int = 3
    gradient_checkpointing: bool = False
    compile: bool = False
    cache_bottom: bool = False
    seeds_together: bool = False
    early_stopping: Mapping[str, int] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Read and check the settings of a stage identity.

        Raises:
            StageError: a name is unknown or a value impossible; all problems are named.
        """
        known = {field.name for field in fields(cls)}
        problems = [f"unknown setting '{name}'" for name in sorted(set(values) - known)]
        problems += [f"'{name}' is missing" for name in ("learning_rate", "batch_size") if name not in values]
        known_values = {name: value for name, value in values.items() if name in known}
        if "dtype" in known_values:
            known_values["dtype"] = _DTYPES.get(known_values["dtype"], known_values["dtype"])
        if not problems:
            settings = cls(**known_values)
            problems = settings._problems()
            if not problems:
                return settings
        raise StageError(f"training settings: {'; '.join(problems)}", fix="correct 'train' in the recipe")

    def _problems(self) -> list[str]:
        problems = []
        if (self.steps is None) == (self.epochs is None):
            problems.append("give one of 'steps' and 'epochs'")
        for name in ("learning_rate", "batch_size", "max_length", "steps", "epochs"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                problems.append(f"'{name}' is a grid that nothing has chosen from")
            elif value is not None and not (math.isfinite(value) and value > 0):
                problems.append(f"'{name}' is {value}; expected a number above 0")
        problems += [
            f"'{name}' is {getattr(self, name)}; expected 0 or more"
            for name in ("weight_decay", "clip")
            if not getattr(self, name) >= 0
        ]
        if self.early_stopping is not None:
            numbers = self.early_stopping
            if set(numbers) != {"patience", "every"} or not all(numbers[name] >= 1 for name in numbers):
                problems.append(f"'early_stopping' is {dict(numbers)}; expected patience and every, above 0")
            if self.selection not in ("dev", "oracle"):
                problems.append("'early_stopping' needs a dev score; set selection: dev")
            if self.seeds_together:
                problems.append("'early_stopping' and 'seeds_together' cannot be combined; keep one")
        if not 1 <= self.mean_of <= 10:
            problems.append(f"'mean_of' is {self.mean_of}; expected 1 to 10")
        if self.compile and self.cache_bottom:
            problems.append("'compile' and 'cache_bottom' cannot be combined; keep one")
        if not 0 <= self.warmup_fraction < 1:
            problems.append(f"'warmup_fraction' is {self.warmup_fraction}; expected 0 or more, below 1")
        for name, words in (("schedule", Schedule), ("dtype", Dtype), ("selection", Selection)):
            if getattr(self, name) not in get_args(words):
                problems.append(f"'{name}' is {getattr(self, name)!r}; expected one of {', '.join(get_args(words))}")
        return problems

    def total_steps(self, features: int) -> int:
        """Optimiser steps for a training set of this many features."""
        if self.steps is not None:
            return int(self.steps)
        return max(1, math.ceil(float(self.epochs or 0) * features / self.batch_size - 1e-9))

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of the 0-based ``step`` out of ``steps``: never 0, so every step counts."""
        warmup = math.ceil(steps * self.warmup_fraction)
        if step < warmup:
            return self.learning_rate * (step + 1) / (warmup + 1)
        if self.schedule == "constant":
            return self.learning_rate
        left = (steps - step) / (steps - warmup)
        if self.schedule == "cosine":
            return self.learning_rate * (1 - math.cos(math.pi * left)) / 2
        return self.learning_rate * left
