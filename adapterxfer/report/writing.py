"""Write a report: report.json first, and every other file from the same findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.report.content import Findings
from adapterxfer.report.csv_files import csv_files, table_csv
from adapterxfer.report.figures import draw_figures
from adapterxfer.report.figures_cost import cost_in_hours
from adapterxfer.report.findings import find
from adapterxfer.report.hours import HoursRow, hours_csv, training_hours
from adapterxfer.report.latex import table_tex
from adapterxfer.report.page import Measured, render_html, render_markdown
from adapterxfer.report.rates import RateFacts
from adapterxfer.report.results import Results
from adapterxfer.report.sampling import Sampled
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.tables import build_tables
from adapterxfer.report.tables_declared import declared_tables
from adapterxfer.report.tables_rates import rate_tables
from adapterxfer.report.tables_supervision import supervision_tables

MEASURED = "measured"
"""Folder of what differs between two trainings of one study on machines that are not equally fast."""


def write_report(
    results: Results,
    folder: Path,
    *,
    settings: ReportSettings,
    pretraining: Mapping[str, Mapping[str, Any]] | None = None,
    sampling: tuple[Sampled, ...] = (),
    rates: RateFacts | None = None,
) -> Findings:
    """Write report.json, report.md, report.html, tables/*.csv, tables/*.tex and figures/*.svg into a folder.

    The same results and settings give the same bytes: nothing carries a date, a path or an unseeded number. Only what
    was measured where the study was trained is left out of that: ``measured/`` and one marked block of the page.

    Args:
        results: complete or not; a partial report says what is missing.
        folder: made if it does not exist; files of an earlier report are replaced.
        pretraining: backbone -> content of its ``pretraining.json``.
        sampling: shares of mixed intermediate trainings.
        rates: what was chosen, and the study at common rates.

    Returns:
        what the report says.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    findings = find(results, settings, pretraining=pretraining, sampling=sampling, rates=rates)
    write_findings(findings, folder, hours=training_hours(results))
    return findings


def write_findings(findings: Findings, folder: Path, *, hours: tuple[HoursRow, ...] = ()) -> None:
    """Write all files of a report from findings that were computed before.

    Args:
        hours: measured time of the trainings; no part of the findings, as it differs between machines.
    """
    figures = draw_figures(findings)
    tables = (
        *declared_tables(findings),
        *supervision_tables(findings),
        *rate_tables(findings),
        *build_tables(findings),
    )
    text = json.dumps(findings.as_json(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    _write(folder / "report.json", text + "\n")
    for figure in figures:
        for drawn in figure.panels:
            _write(folder / "figures" / f"{drawn.name}.svg", drawn.svg)
    for table in tables:
        _write(folder / "tables" / f"{table.name}.csv", table_csv(table))
        _write(folder / "tables" / f"{table.name}.tex", table_tex(table))
    for name, content in csv_files(findings).items():
        _write(folder / "tables" / f"all-{name}", content)
    _write(folder / "report.md", render_markdown(findings, figures, tables))
    panel = cost_in_hours(findings, hours)
    _write(folder / "report.html", render_html(findings, figures, tables, Measured(hours, panel)))
    if hours:
        _write(folder / MEASURED / "hours.csv", hours_csv(hours))
    if panel is not None:
        _write(folder / MEASURED / f"{panel.name}.svg", panel.svg)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
