"""One trained and evaluated system of a study: where it stands in the grid, its sizes, and its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, overload

from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE

CONTROL = "control"
"""Variant of a baseline: a rule, a guess, an untrained twin."""

UNTRAINED_SUFFIX = "-untrained"
NUMBERS = ("parameters", "non_embedding_parameters", "seed", "draw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell(Axes):
    """One trained and evaluated system of the study, and where its predictions are.

    Attributes:
        parameters: all parameters of the backbone; 0 where unknown or for a control without backbone.
        predict: key of the predict stage, or the input role that its folder fills; several cells may share one.
        control: name of the control; empty for trained systems.
        overlap: whether the intermediate task shares text with the target, so its gain is not transfer.
        draw: which draw of labelled examples in the target language a run trained on; those of one run are averaged.
    """

    parameters: int
    non_embedding_parameters: int
    predict: str
    control: str = ""
    overlap: bool = False
    draw: int = 0

    @property
    def is_control(self) -> bool:
        """Whether this cell is a baseline that stands beside the scores and is not compared with them."""
        return bool(self.control) or self.variant == CONTROL or self.backbone.endswith(UNTRAINED_SUFFIX)

    @property
    def system(self) -> tuple[str, str, str, str, str]:
        """Everything but target and seed: what a row of a table is about."""
        return (self.backbone, self.variant, self.adapter, self.intermediate, self.control)

    def labels(self) -> dict[str, Any]:
        """The cell as JSON values, without the key of its predictions.

        They are part of the identity of a report stage, so what is false or empty for most cells stays out.
        """
        labels: dict[str, Any] = {
            **self.values(),
            "parameters": self.parameters,
            "non_embedding_parameters": self.non_embedding_parameters,
        }
        if self.control:
            labels["control"] = self.control
        if self.overlap:
            labels["overlap"] = True
        if self.draw:
            labels["draw"] = self.draw
        return labels

    @classmethod
    def from_labels(cls, labels: Mapping[str, Any]) -> Cell:
        """Build a cell from JSON labels; unknown labels are ignored and absent ones are empty."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = labels.get(field.name)
            if field.name in NUMBERS:
                values[field.name] = int(value or 0)
            elif field.name == "overlap":
                values[field.name] = bool(value)
            else:
                values[field.name] = adapter_name(value) if field.name == "adapter" else str(value or "")
        values["intermediate"] = values["intermediate"] or NONE
        return cls(**values)


Run = tuple[Cell, int, str]
"""A cell of the row that a run belongs to, with any seed and predictions; the run's seed; the key of its predictions.

Plain, for half of the objects of a plan would be these.
"""


class PlannedCells(Sequence[Cell]):
    """The cells of a plan, spelled out when somebody asks for one."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = tuple(runs)

    @cached_property
    def _spelled(self) -> tuple[Cell, ...]:
        return tuple(replace(cell, seed=seed, predict=key) for cell, seed, key in self.runs)

    @overload
    def __getitem__(self, index: int) -> Cell: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Cell, ...]: ...

    def __getitem__(self, index: int | slice) -> Cell | tuple[Cell, ...]:
        return self._spelled[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __hash__(self) -> int:
        return hash(self._spelled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlannedCells) and self._spelled == other._spelled


def adapter_name(value: Any) -> str:
    """``seq_bn`` for a method alone, ``seq_bn/2`` for one with a size, empty for no adapter."""
    if not value:
        return ""
    if isinstance(value, Mapping):
        sizes = [str(value[name]) for name in sorted(value) if name != "method" and value[name] is not None]
        return "/".join([str(value.get("method", "")), *sizes])
    return str(value)
