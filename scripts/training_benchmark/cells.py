"""The grid, as data: which models are trained after which, the same for both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from training_benchmark.inputs import INTERMEDIATES, MAX_LENGTH, TARGETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of the grid.

    Attributes:
        name: unique.
        task: what it is trained on.
        variant: full-ft, adapter (a fresh one), stack or fuse.
        phase: intermediate, target or fusion.
        seed: of start values, order and dropout.
        before: names of the trainings whose models it takes over; for a fusion the target adapter last.
        intermediate: the task before it; empty for none.
    """

    name: str
    task: str
    variant: str
    phase: str
    seed: int
    before: tuple[str, ...] = ()
    intermediate: str = ""

    @property
    def cell(self) -> str:
        """What it is over all seeds; empty for models that nobody evaluates."""
        return f"{self.task} {self.intermediate} {self.variant}" if self.intermediate else ""


def trainings(seeds: Sequence[int], targets: Sequence[str] = TARGETS) -> Iterator[Training]:
    """All trainings in an order in which everything is there when it is needed."""
    for seed in seeds:
        for task in INTERMEDIATES:
            for variant in ("full-ft", "adapter"):
                yield Training(
                    name=f"{task}-{variant}-{seed}", task=task, variant=variant, phase="intermediate", seed=seed
                )
        for target in targets:
            alone = f"{target}-adapter-{seed}"
            yield Training(name=alone, task=target, variant="adapter", phase="target", seed=seed)
            for task in INTERMEDIATES:
                whole, adapted = f"{task}-full-ft-{seed}", f"{task}-adapter-{seed}"
                for variant, phase, before in (
                    ("full-ft", "target", (whole,)),
                    ("stack", "target", (adapted,)),
                    ("fuse", "fusion", (adapted, alone)),
                ):
                    yield Training(
                        name=f"{target}-{task}-{variant}-{seed}",
                        task=target,
                        variant=variant,
                        phase=phase,
                        seed=seed,
                        before=before,
                        intermediate=task,
                    )


def settings(phase: str, *, batch: int, steps: int, dtype: str = "fp32") -> dict[str, Any]:
    """Of one training, the same for both sides but perhaps the dtype; a fusion has half of the steps."""
    return {
        "learning_rate": 3e-3, "batch_size": batch, "steps": max(1, steps // 2) if phase == "fusion" else steps,
        "warmup_fraction": 0.1, "schedule": "linear", "weight_decay": 0.0, "clip": 1.0, "dtype": dtype,
        "max_length": MAX_LENGTH, "selection": "last",
    }  # fmt: skip
