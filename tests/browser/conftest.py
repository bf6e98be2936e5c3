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

from planted_study import plant

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
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.writing import write_report

    root = tmp_path_factory.mktemp("report")
    study = plant(root, lambda *_: 10.0, examples=80)
    settings = ReportSettings(title="A planted study", recipe="planted", synthetic=True, resamples=200)
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    write_report(results, root / "report", settings=settings)
    return root / "report" / "report.html"


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go."""
    given = os.environ.get("ADAPTERXFER_SCREENSHOTS")
    folder = Path(given).absolute() if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
