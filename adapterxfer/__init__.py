"""Size of a backbone, English intermediate training, and the gain in zero-shot cross-lingual transfer.

The public names are imported on first use, so ``import adapterxfer`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapterxfer.api import RunResult, compare, run
    from adapterxfer.hub.inference import Bundle, load_bundle
    from adapterxfer.plan import Plan, build_plan
    from adapterxfer.recipe import Recipe, load_recipe
    from adapterxfer.report.results import Results

__version__ = "0.1.0"

_PLACES = {
    "Bundle": "adapterxfer.hub.inference",
    "Plan": "adapterxfer.plan",
    "Recipe": "adapterxfer.recipe",
    "Results": "adapterxfer.report.results",
    "RunResult": "adapterxfer.api",
    "build_plan": "adapterxfer.plan",
    "compare": "adapterxfer.api",
    "load_bundle": "adapterxfer.hub.inference",
    "load_recipe": "adapterxfer.recipe",
    "run": "adapterxfer.api",
}

__all__ = [
    "Bundle",
    "Plan",
    "Recipe",
    "Results",
    "RunResult",
    "__version__",
    "build_plan",
    "compare",
    "load_bundle",
    "load_recipe",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    module = _PLACES.get(name)
    if module is None:
        raise AttributeError(f"module 'adapterxfer' has no attribute '{name}'")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
