"""The simulation of pooling in small: shared test items must not be pooled as if they were independent."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_pooling.py"


def test_the_common_part_keeps_the_interval_honest() -> None:
    spec = importlib.util.spec_from_file_location("simulate_pooling", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    right, wrong = module.coverage(5, 0.0, 3, 300, 0)
    assert 0.91 <= right <= 0.99
    assert wrong < 0.85
