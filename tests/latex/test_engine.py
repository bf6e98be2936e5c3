"""Asked for an engine that is not there, the LaTeX tests fail: they never skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("engine", "code"), [("no-such-engine", 1), ("", 5)])
def test_an_absent_engine_fails(engine: str, code: int, tables: Path) -> None:
    """Exit code 1: tests failed; 5: without the variable nothing is collected."""
    environment = {**os.environ, "ADAPTERXFER_LATEX": engine, "ADAPTERXFER_TABLES": str(tables)}
    tests = Path(__file__).with_name("test_tables.py")
    chosen = str(tests if engine else tests.parent)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == code, done.stdout
    assert "skipped" not in done.stdout
