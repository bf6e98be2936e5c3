"""What a recipe may say about a task of the catalogue."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from adapterxfer.recipe.also import Also, Layer
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import Count, OneOrMany, Seed, problem


class TaskOptions(Section):
    """Sizes and languages of one task in this recipe; an absent key leaves the task's own default.

    ``layout`` describes files that are not in the official layout, by role; see docs/data.md. ``protocol`` names
    another way to evaluate the task, ``layer`` the layer that embeds texts in retrieval, ``also`` more evaluations.
    ``test_seed`` draws another test set of a generated task, on which choices made with the first one in sight can be
    confirmed. ``languages: all`` are all that the task has. ``source: hub`` reads the task from the Hub whatever files
    are below the data root.
    """

    train_examples: Count | None = None
    dev_examples: Count | None = None
    test_examples: Count | None = None
    languages: Annotated[tuple[str, ...], OneOrMany, Field(min_length=1)] | None = None
    test_seed: Seed | None = None
    layout: dict[Literal["train", "dev", "test"], dict[str, Any]] | None = None
    source: Literal["hub"] | None = None
    protocol: Annotated[str, Field(min_length=1)] | None = None
    layer: Layer | None = None
    also: Annotated[tuple[Also, ...], Field(min_length=1)] | None = None

    @field_validator("also")
    @classmethod
    def _differ(cls, value: tuple[Also, ...] | None) -> tuple[Also, ...] | None:
        labels = [evaluation.label for evaluation in value or ()]
        if len(set(labels)) < len(labels):
            raise problem("two of these evaluations are the same")
        return value
