"""The report of a planted study, for tests that look at its files with other programs; those choose by environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from planted_study import plant


def write_planted_report(
    root: Path,
    declared: Sequence[Mapping[str, object]],
    multiplicity: Mapping[str, str] | None = None,
    *,
    intermediates: tuple[str, ...] = ("none", "nli", "qa"),
    languages: dict[str, dict[str, str]] | None = None,
) -> Path:
    """Folder of a report on a gain of 10 points, with declared hypotheses."""
    from adapterxfer.recipe.hypotheses import read_hypotheses
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.writing import write_report

    study = plant(
        root, lambda *_: 10.0, examples=80, seeds=(1, 2, 3), variants=("full-ft", "stack"),
        intermediates=intermediates, languages=languages,
    )  # fmt: skip
    settings = ReportSettings(
        title="A planted study", recipe="planted", synthetic=True, resamples=200,
        hypotheses=read_hypotheses(declared), multiplicity=dict(multiplicity or {}),
    )  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    write_report(results, root / "report", settings=settings)
    return root / "report"


def folder_for(variable: str, factory: pytest.TempPathFactory, name: str) -> Path:
    """The folder that an environment variable names, or a temporary one."""
    given = os.environ.get(variable)
    folder = Path(given).absolute() if given else factory.mktemp(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
