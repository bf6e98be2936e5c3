"""A cell of the study and a language as the report sees them; also the words a reader meets for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

NONE = "none"
CONTROL = "control"
FULL = "full-ft"
SOURCE_LANGUAGE = "en"
UNTRAINED_SUFFIX = "-untrained"
VARIANT_ORDER = ("full-ft", "sequential", "stack", "fuse", "merge", "head-only", "control")
RESOURCE_ORDER = ("high", "mid", "medium", "low")


@dataclass(frozen=True, slots=True)
class Language:
    """What the report groups languages by."""

    code: str
    name: str
    family: str
    resource: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One trained and evaluated system: the labels of its predictions.

    Attributes:
        parameters: total parameters of the backbone; 0 for a control that uses no backbone.
        adapter: adapter method with its size, or empty for variants without adapters.
        intermediate: name of the intermediate task, ``none``, ``multi`` or ``pool``.
        control: name of the control, or empty.
        overlap: whether the intermediate task shares text with the target, so its gain is no transfer.
        predict: where its predictions are: an input role or a stage key.
    """

    backbone: str
    parameters: int
    non_embedding_parameters: int
    variant: str
    adapter: str
    intermediate: str
    target: str
    seed: int
    predict: str
    control: str = ""
    overlap: bool = False

    @property
    def is_control(self) -> bool:
        """Whether this cell is a baseline that stands beside the scores and is not compared with them."""
        return bool(self.control) or self.variant == CONTROL or self.backbone.endswith(UNTRAINED_SUFFIX)

    @property
    def system(self) -> tuple[str, str, str, str, str]:
        """Everything but target and seed: what a row of a table is about."""
        return (self.backbone, self.variant, self.adapter, self.intermediate, self.control)

    @classmethod
    def from_labels(cls, labels: Mapping[str, Any]) -> Cell:
        """Build a cell from JSON labels; unknown labels are ignored and absent ones are empty."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = labels.get(field.name)
            if field.name in ("parameters", "non_embedding_parameters", "seed"):
                values[field.name] = int(value or 0)
            elif field.name == "overlap":
                values[field.name] = bool(value)
            else:
                values[field.name] = adapter_name(value) if field.name == "adapter" else str(value or "")
        values["intermediate"] = values["intermediate"] or NONE
        return cls(**values)


def adapter_name(value: Any) -> str:
    """``seq_bn`` for a method alone, ``seq_bn/2`` for one with a size, empty for no adapter."""
    if not value:
        return ""
    if isinstance(value, Mapping):
        sizes = [str(value[name]) for name in sorted(value) if name != "method" and value[name] is not None]
        return "/".join([str(value.get("method", "")), *sizes])
    return str(value)


def variant_key(variant: str) -> tuple[int, str]:
    """Sorting key: the order in which variants are shown."""
    known = VARIANT_ORDER.index(variant) if variant in VARIANT_ORDER else len(VARIANT_ORDER)
    return (known, variant)


def resource_key(resource: str) -> tuple[int, str]:
    """Sorting key: from high to low resource."""
    known = RESOURCE_ORDER.index(resource) if resource in RESOURCE_ORDER else len(RESOURCE_ORDER)
    return (known, resource)


def signed(value: float) -> str:
    """One digit after the point with a sign, but no sign on nothing."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def parameter_text(count: float) -> str:
    """``0.45 M`` or ``3.5 B``: a parameter count as people say it."""
    if count >= 1e9:
        return f"{count / 1e9:.3g} B"
    if count >= 1e4:
        return f"{count / 1e6:.2g} M" if count < 1e7 else f"{count / 1e6:.3g} M"
    return f"{count:.0f}"
