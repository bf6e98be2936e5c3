"""Tests of the store import their small stages from ``store_fakes``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
