"""Hypotheses about planted studies, judged as a report judges them."""

from __future__ import annotations

from planted_study import PlantedStudy

from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.declared import Judged
from adapterxfer.report.findings import verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings

GAINS = {"tiny-1": 20.0, "tiny-2": 12.0, "tiny-3": 4.0}
"""What nli gives full fine-tuning on xnli in the study `falling`."""

XNLI = {"variant": "full-ft", "target": "xnli"}


def results_of(study: PlantedStudy) -> Results:
    return Results.from_folders(study.cells, study.folders, languages=study.languages)


def asking(*declared: dict[str, object], **settings: object) -> ReportSettings:
    """Settings that declare these hypotheses."""
    named = [{"id": f"H{number}", **entry} for number, entry in enumerate(declared, start=1)]
    return ReportSettings(resamples=300, hypotheses=read_hypotheses(named), **settings)  # type: ignore[arg-type]


def judged(results: Results, *declared: dict[str, object], **settings: object) -> list[Judged]:
    return list(verdicts(results, asking(*declared, **settings)))
