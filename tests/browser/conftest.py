"""Browser tests need Chromium and are left out of the ordinary test run.

    ADAPTERXFER_BROWSER=chromium python -m pytest tests/browser

The variable names the browser's program. ADAPTERXFER_REPORT may name an existing report.html to look at instead of a
planted one; screenshots go to ADAPTERXFER_SCREENSHOTS where that is set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "report"))

from planted_report import folder_for, write_planted_report

DECLARED: list[dict[str, object]] = [
    {"id": "H1", "text": "the gain changes with the size of the backbone", "contrast": "slope", "expect": "negative"},
    {
        "id": "H2", "text": "adapters are not worse by more than two points", "family": "adapters", "of": "score",
        "contrast": "noninferior", "a": "stack", "b": "full-ft", "margin": 2.0, "each": "backbone",
    },
    {
        "id": "H3", "text": "intermediate training helps", "family": "gain", "contrast": "gain",
        "reference": {"value": 8.2, "label": "as stated in the project's description, not verified"},
    },
    {"id": "H4", "text": "a variant that was not run", "family": "none", "contrast": "gain",
     "over": {"variant": "merge"}},
]  # fmt: skip

BROWSER = os.environ.get("ADAPTERXFER_BROWSER", "")
collect_ignore_glob = [] if BROWSER else ["test_*.py"]


@pytest.fixture(scope="session")
def browser() -> str:
    """The program to start."""
    return BROWSER


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report to look at."""
    given = os.environ.get("ADAPTERXFER_REPORT")
    if given:
        return Path(given).absolute()
    root = tmp_path_factory.mktemp("report")
    return write_planted_report(root, DECLARED, {"adapters": "holm"}) / "report.html"


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go."""
    return folder_for("ADAPTERXFER_SCREENSHOTS", tmp_path_factory, "screenshots")
