"""What a recipe says about low-resource languages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from adapterxfer.catalog.pretraining import LITTLE_GIB
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import SeriesName


class LowResource(Section):
    """Which languages count as low-resource: exactly one of three definitions.

    Attributes:
        by: ``joshi`` (class 0 to 2, as without this option; the tiers are low, mid and high), ``gib`` (less pretraining
            text than a limit) or ``unseen`` (none); the last two make two tiers, low and high.
        gib: limit of ``gib``.
        series: whose pretraining text is meant; by default that of the recipe's backbones.
    """

    by: Literal["joshi", "gib", "unseen"]
    gib: Annotated[float, Field(gt=0, le=10_000)] = LITTLE_GIB
    series: SeriesName | None = None
