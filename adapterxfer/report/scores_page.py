"""Scores as the page shows them: one row for each system, one column for each target, controls below."""

from __future__ import annotations

from adapterxfer.catalog import ORACLE
from adapterxfer.report.content import Findings, Score
from adapterxfer.report.display import NONE
from adapterxfer.report.table_shape import Column, Table, Value

Key = tuple[str, str, str, bool]
"""Backbone, system, intermediate task, and whether it is a control."""


def zero_shot_table(findings: Findings) -> Table:
    """Mean zero-shot score of every system on every target."""
    rows: dict[Key, dict[str, Score]] = {}
    for score in findings.scores:
        if score.group_kind != "zero-shot" or score.repeated or score.control.startswith(ORACLE):
            continue
        key = (
            score.backbone,
            score.control or score.shown,
            "" if score.control else score.intermediate,
            bool(score.control),
        )
        rows.setdefault(key, {})[score.target] = score
    targets = list(dict.fromkeys(score.target for scores in rows.values() for score in scores.values()))
    sizes = {facts.name: facts.non_embedding_parameters or facts.parameters for facts in findings.backbones}
    order = sorted(rows, key=lambda key: (key[3], sizes.get(key[0], 0), key[2] != NONE and bool(key[2])))
    body: list[tuple[Value, ...]] = []
    for key in order:
        backbone, system, intermediate, control = key
        values = [
            None if (row := rows[key].get(target)) is None else (row.score, row.standard_deviation)
            for target in targets
        ]
        body.append((backbone, f"control: {system}" if control else system, intermediate, *values))
    note = (
        "Mean over all languages but the source language, in points, with the standard deviation over seeds. Without "
        "an intermediate task the adapter variants are one training, the adapter baseline. By language, family and "
        "tier: tables/scores.csv and tables/languages.csv."
    )
    columns = (
        Column("backbone"),
        Column("system"),
        Column("intermediate task"),
        *(Column(target, "points") for target in targets),
    )
    return Table("zero-shot", "Zero-shot scores", note, columns, tuple(body))
