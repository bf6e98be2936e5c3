"""The base of all parts of a recipe: frozen, strict, without unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all parts of a recipe."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )
