"""Recipe to plan: stages with their keys, and the cells they fill. Torch-free."""

from __future__ import annotations

from adapterxfer.plan.build import build_plan
from adapterxfer.plan.cells import Cell
from adapterxfer.plan.model import Plan, Refusal
from adapterxfer.plan.sources import Sources

__all__ = ["Cell", "Plan", "Refusal", "Sources", "build_plan"]
