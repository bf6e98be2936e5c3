"""The simulation of the laws in small: intervals of the published kind cover at the size that was held out."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_laws.py"


def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate_laws", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulate_laws"] = module
    spec.loader.exec_module(module)
    return module


def test_intervals_cover_at_the_size_held_out() -> None:
    module = simulation()
    chosen = [s for s in module.SITUATIONS if s.sizes == 5 and s.held == "the largest"]
    results = module.simulate(chosen, 60, seed=1)
    counts = [counts["all forms"] for counts in results.values()]
    share, total = sum(c[0] for c in counts) / sum(c[1] for c in counts), sum(c[1] for c in counts)
    assert abs(share - 0.95) < 0.02 + 2.0 * math.sqrt(0.95 * 0.05 / total)
    told = [counts["forms told apart"] for counts in results.values()]
    assert sum(c[0] for c in told) / sum(c[1] for c in told) < 0.1, "five noisy sizes seldom decide the form"
    text = module.page(results, 60, 1)
    assert text.count("\n| 5 sizes") == len(chosen)


def test_the_shortcut_is_worse() -> None:
    """A line alone misses a law that levels off, when it goes beyond the sizes at hand."""
    module = simulation()
    (curved,) = [
        s for s in module.SITUATIONS if (s.sizes, s.held, s.form, s.off) == (6, "the largest", "saturating", 0.0)
    ]
    counts = module.simulate([curved], 150, seed=2)[str(curved)]
    assert counts["all forms"][0] >= counts["best form alone"][0]
