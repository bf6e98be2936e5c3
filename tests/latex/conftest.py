"""LaTeX tests need a TeX engine with booktabs and are left out of the ordinary test run.

    ADAPTERXFER_LATEX=pdflatex python -m pytest tests/latex

The variable names the engine; where it is set and the engine is absent, the tests fail. ADAPTERXFER_TABLES may
name the `tables` folder of an existing report to compile instead of a planted one; the pages are kept in
ADAPTERXFER_PAGES where that is set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "report"))

from planted_report import folder_for, write_planted_report

FAMILIES = ("Indo-European", "Austronesian", "Niger-Congo", "Turkic", "Uralic")
TIERS = ("high", "mid", "low", "high", "mid")
WIDE = {"en": {"name": "English", "family": "Indo-European", "resource": "high"}} | {
    f"l{number}": {"name": family, "family": family, "resource": tier}
    for number, (family, tier) in enumerate(zip(FAMILIES, TIERS, strict=True))
}
"""As many columns as the widest tables of real studies have."""

ENGINE = os.environ.get("ADAPTERXFER_LATEX", "")
collect_ignore_glob = [] if ENGINE else ["test_*.py"]


@pytest.fixture(scope="session")
def engine() -> str:
    """The program to start."""
    return ENGINE


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of LaTeX tables."""
    given = os.environ.get("ADAPTERXFER_TABLES")
    if given:
        return Path(given).absolute()
    declared: list[dict[str, object]] = [
        {"id": "H1", "text": "50 % of the gain_points & more fall {~^\\} <with> #size", "contrast": "slope"},
        {
            "id": "H2", "text": "not worse", "family": "adapters", "of": "score", "contrast": "noninferior",
            "a": "stack", "b": "full-ft", "margin": 2.0, "each": "backbone",
        },
    ]  # fmt: skip
    folder = write_planted_report(
        tmp_path_factory.mktemp("report"),
        declared,
        intermediates=("none", "nli", "squad-gold-sentence"),
        languages=WIDE,
    )
    return folder / "tables"


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the typeset pages go."""
    return folder_for("ADAPTERXFER_PAGES", tmp_path_factory, "pages")
