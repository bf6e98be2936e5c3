"""Rows of a report about learning rates and other chosen settings."""

from __future__ import annotations

from dataclasses import dataclass

from adapterxfer.recipe.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Axes):
    """One choice by English development data; its axes, all but the seed, are those of the trainings that chose.

    Attributes:
        phase: ``intermediate``, ``target`` or ``fusion``.
        setting: ``learning_rate`` or ``steps``.
        grid: values tried, smallest first.
        value: the chosen one.
        scores: best mean score of each value on English development data, in points; None for one that diverged.
        beyond: what to try next where the value is at an end of the grid; None elsewhere.
    """

    phase: str
    setting: str
    grid: tuple[float, ...]
    value: float
    scores: tuple[float | None, ...]
    beyond: float | None

    @property
    def name(self) -> str:
        """``full-ft on xnli, world-mini``."""
        return f"{self.variant} on {self.target or self.intermediate}, {self.backbone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonTrend:
    """The trend of one variant with size where one rate serves all sizes; an estimate, no verdict.

    Attributes:
        rates: block of the recipe -> rate; empty for the chosen ones.
        low, high: interval over items and runs, not adjusted for the number of rates.
    """

    variant: str
    rates: dict[str, float]
    estimate: float
    low: float
    high: float
