"""Suites with their own command (docs/clusters.md): ``ADAPTERXFER_SLOW=1 scripts/test tests/slow``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

collect_ignore_glob = [] if os.environ.get("ADAPTERXFER_SLOW") else ["test_*.py"]

TESTS = Path(__file__).parents[1]
sys.path += [
    str(TESTS / "unit" / "engines"), str(TESTS / "unit" / "hub"), str(Path(__file__).parent), str(TESTS / "integration")
]  # fmt: skip
