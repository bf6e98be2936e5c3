"""How a report shows languages, variants and numbers: the order they stand in and the texts they become."""

from __future__ import annotations

from dataclasses import dataclass

from adapterxfer.catalog import VARIANTS
from adapterxfer.catalog.variants import alone
from adapterxfer.plan.cells import CONTROL, UNTRAINED_SUFFIX, Cell
from adapterxfer.recipe.fields import NONE

__all__ = [
    "CONTROL", "FULL", "NONE", "RESOURCE_ORDER", "SOURCE_LANGUAGE", "UNTRAINED_SUFFIX", "Cell",
    "LanguageFacts", "parameter_text", "resource_key", "signed", "variant_key",
]  # fmt: skip

FULL = alone(adapter=False).name
"""Full fine-tuning."""

SOURCE_LANGUAGE = "en"
RESOURCE_ORDER = ("high", "mid", "medium", "low")


@dataclass(frozen=True, slots=True)
class LanguageFacts:
    """One language with what a report groups languages by: family and resource tier."""

    code: str
    name: str
    family: str
    resource: str


def variant_key(variant: str) -> tuple[int, str]:
    """Sorting key: the order in which variants are shown."""
    order = [*VARIANTS, CONTROL]
    return (order.index(variant) if variant in order else len(order), variant)


def resource_key(resource: str) -> tuple[int, str]:
    """Sorting key: from high to low resource."""
    known = RESOURCE_ORDER.index(resource) if resource in RESOURCE_ORDER else len(RESOURCE_ORDER)
    return (known, resource)


def signed(value: float) -> str:
    """One digit after the point with a sign; a value that rounds to zero has no sign."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def parameter_text(count: float) -> str:
    """``0.45 M`` or ``3.5 B``: a parameter count as people say it."""
    if count >= 1e9:
        return f"{count / 1e9:.3g} B"
    if count >= 1e4:
        return f"{count / 1e6:.2g} M" if count < 1e7 else f"{count / 1e6:.3g} M"
    return f"{count:.0f}"
