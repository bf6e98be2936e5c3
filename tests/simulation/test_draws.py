"""Intervals of few-shot scores cover when draws vary, and do not when draws are shared or forgotten.

As the script does it, with fewer studies: 3,000 give a binomial standard error of .004, so a coverage of .935 to .965,
within 1.5 points of nominal, is told from one beyond.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_draws.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate_draws", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def covered(script: ModuleType, situation: str, studies: int, *, shortcuts: bool) -> dict[str, float]:
    held: dict[str, list[bool]] = {}
    for batch in range(studies // 50):
        rng = np.random.default_rng([7, batch])
        for asked, rows in script.simulate(script.SITUATIONS[situation], rng, 50, batch, shortcuts=shortcuts):
            held.setdefault(asked, []).extend(rows)
    return {asked: float(np.mean(rows)) for asked, rows in held.items()}


def test_draws_that_are_averaged_in_their_run_cover(script: ModuleType) -> None:
    shares = covered(script, "5 runs, 3 draws each", 3000, shortcuts=False)
    assert len(shares) == 2
    for asked, share in shares.items():
        assert 0.935 <= share <= 0.965, (asked, share)


def test_shared_and_forgotten_draws_do_not(script: ModuleType) -> None:
    shares = covered(script, "5 runs, 3 draws each", 300, shortcuts=True)
    question = "few-shot minus zero-shot"
    assert shares[f"{question}: all runs share the draws"] < 0.85
    assert shares[f"{question}: over items only"] < 0.85


def test_the_script_counts_what_it_did(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    command = [sys.executable, str(SCRIPT), "--studies", "4", "--batch", "2", "--page", str(page)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert page.read_text(encoding="utf-8") == printed.rstrip("\n") + "\n"
    assert "| 3 runs, 1 draw each | few-shot minus zero-shot: draws averaged in their run |" in printed
    assert printed.count("(dagger)") > 20
