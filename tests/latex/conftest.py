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

from planted_study import plant

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
    from adapterxfer.recipe.hypotheses import read_hypotheses
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.writing import write_report

    root = tmp_path_factory.mktemp("report")
    study = plant(
        root, lambda *_: 10.0, examples=80, seeds=(1, 2, 3), variants=("full-ft", "stack"),
        intermediates=("none", "nli", "qa"),
    )  # fmt: skip
    declared: list[dict[str, object]] = [
        {"id": "H1", "text": "50 % of the gain_points & more fall {~^\\} <with> #size", "contrast": "slope"},
        {
            "id": "H2", "text": "not worse", "family": "adapters", "of": "score", "contrast": "noninferior",
            "a": "stack", "b": "full-ft", "margin": 2.0, "each": "backbone",
        },
    ]  # fmt: skip
    settings = ReportSettings(
        title="A planted study", recipe="planted", synthetic=True, resamples=200, hypotheses=read_hypotheses(declared)
    )
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    write_report(results, root / "report", settings=settings)
    return root / "report" / "tables"


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the typeset pages go."""
    given = os.environ.get("ADAPTERXFER_PAGES")
    folder = Path(given).absolute() if given else tmp_path_factory.mktemp("pages")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
