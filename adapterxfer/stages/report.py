"""Execute a report stage: predictions of all cells in, report.json and everything made from it out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapterxfer.report.display import SOURCE_LANGUAGE, Cell
from adapterxfer.report.provenance import pretraining_diagnostics
from adapterxfer.report.rates import read_rates
from adapterxfer.report.results import Results
from adapterxfer.report.sampling import read_sampling
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.writing import write_report
from adapterxfer.stages.context import StageContext

PREDICT, PRETRAIN = "predict.", "pretrain."


def execute(context: StageContext) -> dict[str, Any]:
    """Write the report of a study from the identity and the inputs of its stage.

    Returns:
        numbers of cells and comparisons, and the answers in one sentence each.

    Raises:
        DataError: systems of one target were evaluated on different gold data.
        StatisticsError: the numbers cannot answer the questions.
    """
    identity = context.stage.identity
    results = Results.from_folders(
        [Cell.from_labels(labels) for labels in identity["cells"]],
        {role: folder for role, folder in context.inputs.items() if role.startswith(PREDICT)},
        languages=identity.get("languages"),
        source_language=str(identity.get("source_language") or SOURCE_LANGUAGE),
        declared=identity.get("tasks"),
    )
    pretrained = {
        role.removeprefix(PRETRAIN): folder for role, folder in context.inputs.items() if role.startswith(PRETRAIN)
    }
    findings = write_report(
        results,
        context.scratch,
        settings=replace(
            ReportSettings.from_identity(identity, context.stage.labels),
            earlier_looks=tuple(context.settings.get("earlier_looks") or ()),
        ),
        pretraining=pretraining_diagnostics(pretrained),
        sampling=read_sampling(context.inputs),
        rates=read_rates(identity, context.stage.labels, context.inputs, results.source_language),
    )
    return {
        "cells": findings.finished,
        "missing": len(findings.missing),
        "comparisons": len(findings.effects),
        "cautions": [caution.check for caution in findings.cautions],
        "summary": list(findings.summary),
    }
