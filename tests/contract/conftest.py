"""Helpers of the contract tests lie beside them; those that make a finished study are the bundles'."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "unit" / "hub"))
