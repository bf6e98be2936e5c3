"""Recipe to plan: stages with their keys, and the cells they fill. Torch-free.

Names are imported when they are first asked for: a worker needs the versions of stages from here and no recipes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapterxfer.plan.build import build_plan
    from adapterxfer.plan.cells import Cell
    from adapterxfer.plan.model import Plan, Refusal
    from adapterxfer.plan.sources import Sources

__all__ = ["Cell", "Plan", "Refusal", "Sources", "build_plan"]

_HOMES = {"Cell": "cells", "Plan": "model", "Refusal": "model", "Sources": "sources", "build_plan": "build"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
