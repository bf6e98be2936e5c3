"""Engine tests import executors from ``engine_fakes``, which worker processes must find as well."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
