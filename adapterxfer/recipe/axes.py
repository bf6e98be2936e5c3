"""What a number, a training or a cell of the study is about: one value on each of the six axes.

Every record that stands somewhere in the grid of a study is an `Axes` with more fields, so the six names are written
here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """One value per axis; an empty one (0 for the seed) means that the axis is averaged over or does not apply.

    Attributes:
        backbone: name of the pretrained encoder.
        variant: how weights are reused: ``full-ft``, ``stack``, ...; ``control`` for a baseline.
        adapter: adapter method with its size, e.g. ``seq_bn/2``; empty for variants without adapters.
        intermediate: name of the intermediate task, ``none``, ``multi`` or ``pool``.
        target: name of the target task.
        seed: of the training run.
    """

    backbone: str = ""
    variant: str = ""
    adapter: str = ""
    intermediate: str = ""
    target: str = ""
    seed: int = 0

    @property
    def method(self) -> str:
        """The adapter method alone: ``seq_bn`` of ``seq_bn/2+language``."""
        return self.adapter.partition("/")[0].partition("+")[0]

    def values(self) -> dict[str, Any]:
        """Axis -> value of all six, in their order; also of a record that is more than its axes."""
        return {  # spelled out: a plan asks for these a million times
            "backbone": self.backbone,
            "variant": self.variant,
            "adapter": self.adapter,
            "intermediate": self.intermediate,
            "target": self.target,
            "seed": self.seed,
        }

    def with_seed(self, seed: int) -> Axes:
        """The same place in the grid with another seed."""
        return replace(Axes.of(self), seed=seed)

    @classmethod
    def of(cls, record: Axes) -> Self:
        """The six axis values of a record, without its other fields."""
        return cls(**record.values())


AXES: tuple[str, ...] = tuple(field.name for field in fields(Axes))
"""Names of the axes, in the order in which they are shown."""


def within(axes: Axes, selected: Mapping[str, Any]) -> bool:
    """Whether every axis that a selection names has one of its values.

    Args:
        selected: axis -> container of the values that are meant.
    """
    return all(getattr(axes, axis) in values for axis, values in selected.items())
