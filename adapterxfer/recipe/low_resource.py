"""What a recipe says about low-resource languages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from adapterxfer.catalog.pretraining import FEW_TOKENS, LITTLE_GIB
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import SeriesName


class LowResource(Section):
    """Which languages count as low-resource: exactly one of four definitions.

    Attributes:
        by: ``joshi`` (class 0 to 2, as without this option; the tiers are low, mid and high), ``gib`` (less pretraining
            text than a limit), ``tokens`` (the same in tokens) or ``unseen`` (none); the last three make two tiers, low
            and high, and languages of which nothing is known are in neither.
        gib: limit of ``gib``.
        tokens: limit of ``tokens``.
        series: whose pretraining text is meant; by default that of the recipe's backbones.
    """

    by: Literal["joshi", "gib", "tokens", "unseen"]
    gib: Annotated[float, Field(gt=0, le=10_000)] = LITTLE_GIB
    tokens: Annotated[float, Field(gt=0, le=1e15)] = FEW_TOKENS
    series: SeriesName | None = None
