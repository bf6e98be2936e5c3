"""Suites with their own command (docs/clusters.md): ``ADAPTERXFER_SLOW=1 scripts/test tests/slow``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

collect_ignore_glob = [] if os.environ.get("ADAPTERXFER_SLOW") else ["test_*.py"]

FAKES = Path(__file__).parents[1] / "unit" / "engines"
sys.path += [str(FAKES), str(Path(__file__).parent), str(Path(__file__).parents[1] / "integration")]
