"""How the backbones of the world are pretrained: one recipe, four sizes, the peak rate chosen by one rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapterxfer.pretraining.mlm import PretrainingSettings

TOKENS = 4_600_000
"""Training budget of every backbone, padding excluded."""
BATCH_SEQUENCES = 48
MASK_SHARE, MARKER_SHARE, MARKER_WEIGHT = 0.2, 0.9, 4.0
"""Shares of hidden tokens and of hidden discourse markers, and how much a marker's loss counts.

A marker names the relation of two sentences, so restoring it is what teaches inference; hidden and weighted like any
other token, the smallest backbone restored markers hardly more often than by chance (`cloze.marker_cloze`)."""
POSITION_LIMIT = 126
"""Longest input, special tokens included."""
RATES = (1.5e-3, 3e-3, 6e-3)
"""Peak learning rates tried for every size."""
GRID_FRACTION = 0.25
"""Share of the budget spent on each of them; the lowest held-out loss wins."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Width, layers and attention heads of one size."""

    hidden: int
    layers: int
    heads: int


SIZES: dict[str, Shape] = {
    "nano": Shape(48, 2, 3),
    "micro": Shape(64, 3, 4),
    "mini": Shape(96, 4, 4),
    "small": Shape(128, 5, 4),
}

BACKBONES: dict[str, tuple[str, int]] = {
    "world-nano": ("nano", 1),
    "world-nano-seed2": ("nano", 2),
    "world-micro": ("micro", 1),
    "world-micro-seed2": ("micro", 2),
    "world-mini": ("mini", 1),
    "world-small": ("small", 1),
}
"""Name -> size, pretraining seed (start values, order of the data, masks)."""


def settings(
    size: str, seed: int, learning_rate: float, markers: tuple[int, ...], *, fraction: float = 1.0
) -> PretrainingSettings:
    """The pretraining settings of one backbone; only shape, seed and rate differ between backbones.

    Args:
        size: a name in `SIZES`.
        seed: of start values, order and masks.
        learning_rate: peak.
        markers: token ids of the discourse markers, which are hidden more often and weigh more.
        fraction: share of the budget; less than 1 for the grid.
    """
    from adapterxfer.pretraining.batches import Masking
    from adapterxfer.pretraining.initialisation import Initialisation
    from adapterxfer.pretraining.mlm import PretrainingSettings

    shape = SIZES[size]
    return PretrainingSettings(
        hidden=shape.hidden,
        layers=shape.layers,
        heads=shape.heads,
        tokens=round(TOKENS * fraction),
        batch_sequences=BATCH_SEQUENCES,
        learning_rate=learning_rate,
        masking=Masking(MASK_SHARE, markers, MARKER_SHARE, MARKER_WEIGHT),
        # Matching heads see which words two sentences share; inference and questions are not learned without them.
        # At this deviation the two offset heads lean on the token itself; an exact offset start helped neither task.
        initialisation=Initialisation(kind="relative-offset", std=0.04, offsets=(-1, 1), matching=2),
        position_limit=POSITION_LIMIT,
        seed=seed,
    )
