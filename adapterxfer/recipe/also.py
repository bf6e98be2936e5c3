"""Other ways to evaluate a target with the same trained models: another protocol, another layer, development data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from adapterxfer.catalog import DEV, target_under
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import problem

DEFAULT = "default"
"""Name of a task's own protocol, where the recipe evaluates it under another one."""

Layer = Annotated[int, Field(ge=0, le=1000)] | Literal["middle", "top"]


class Also(Section):
    """One more evaluation; the target is then called ``TASK@LABEL``.

    Attributes:
        protocol: name of a protocol of the task, or ``default``.
        layer: that embeds texts in retrieval.
        split: ``dev`` for the English development examples, on which a choice can be made.
    """

    protocol: Annotated[str, Field(min_length=1)] | None = None
    layer: Layer | None = None
    split: Literal["dev"] | None = None

    @model_validator(mode="after")
    def _is_other(self) -> Also:
        if self.protocol is None and self.layer is None and self.split is None:
            raise problem("names at least one of: protocol, layer, split")
        if self.split is not None and (self.protocol is not None or self.layer is not None):
            raise problem("development examples are evaluated under the protocol of the task: split stands alone")
        return self

    @property
    def label(self) -> str:
        """``dev``, ``top-layer``, ``layer-7``, ``xtreme-r`` or ``default-layer-7``."""
        layer = f"{self.layer}-layer" if isinstance(self.layer, str) else f"layer-{self.layer}"
        parts = (DEV if self.split else "", self.protocol, "" if self.layer is None else layer)
        return "-".join(word for word in parts if word)

    def target(self, task: str) -> str:
        """The name of a target under this evaluation."""
        return target_under(task, self.label)
