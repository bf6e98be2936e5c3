"""Settings that development data choose from a declared grid: ``{choose: [...], by: dev}`` in place of a number.

Only English development data decide, on training runs of their own; see docs/learning-rates.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import Count, Rate, Seed, problem

CHOOSE = "choose"
"""Key of a grid, in a recipe and in the settings of a stage."""

CHOOSING_SEED = 0
"""Of the runs that choose, where a recipe names none: shipped studies count theirs from 1, so it is a run apart."""

EACH = "each"

RateGrid = Annotated[tuple[Rate, ...], Field(min_length=2, max_length=20)]
StepGrid = Annotated[tuple[Count, ...], Field(min_length=2, max_length=20)]


class Choice(Section):
    """How a value is chosen.

    Attributes:
        choose: the grid.
        by: English development data; nothing else is allowed to choose.
        per: ``backbone``: one choice for each backbone, mode, adapter and task, made without an intermediate task;
            ``intermediate``: one for each intermediate task too, made after it.
        seeds: of the runs that choose; each value counts by its mean over them.
    """

    choose: tuple[Any, ...]
    by: Literal["dev"]
    per: Literal["backbone", "intermediate"] = "backbone"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=20)] = (CHOOSING_SEED,)

    @field_validator("choose", "seeds", check_fields=False)
    @classmethod
    def _differ(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) < len(value):
            raise problem("names a value twice")
        return value

    @property
    def grid(self) -> tuple[Any, ...]:
        """The values, smallest first: their order in the recipe changes nothing."""
        return tuple(sorted(self.choose))

    def identity(self) -> dict[str, Any]:
        """What stands in the settings of a stage."""
        return {CHOOSE: list(self.grid)}


class RateChoice(Choice):
    """A learning rate; ``also: each`` trains the study with every rate of the grid too, as a table of sensitivity."""

    choose: RateGrid
    also: Literal["each"] | None = None


class StepChoice(Choice):
    """A number of steps."""

    choose: StepGrid


def _is_choice(value: Any) -> str:
    return "[choice]" if isinstance(value, dict | Choice) else "[value]"


RateOrChoice = Annotated[
    Annotated[Rate, Tag("[value]")] | Annotated[RateChoice, Tag("[choice]")], Discriminator(_is_choice)
]
StepsOrChoice = Annotated[
    Annotated[Count, Tag("[value]")] | Annotated[StepChoice, Tag("[choice]")], Discriminator(_is_choice)
]


class EarlyStopping(Section):
    """End a training whose English development score no longer rises.

    Attributes:
        patience: evaluations in a row without a better score after which it ends.
        every: steps between two evaluations.
    """

    patience: Annotated[int, Field(ge=1, le=1000)]
    every: Count
