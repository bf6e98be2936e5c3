"""The table of the tasks that a recipe declares: what nothing but the recipe knows of them."""

from __future__ import annotations

from adapterxfer.report.content import Findings
from adapterxfer.report.table_shape import Column, Table


def tasks_table(findings: Findings) -> tuple[Table, ...]:
    """What the recipe says of its own tasks; no table where it declares none."""
    if not findings.declared:
        return ()
    columns = ("task", "format", "metric", "data", "languages", "licence", "citation")
    rows = tuple(
        (
            str(facts["name"]),
            str(facts["format"]),
            str(facts["metric"]),
            str(facts["hub"] or "files"),
            " ".join(facts["languages"]),
            str(facts["licence"]),
            str(facts["citation"]),
        )
        for facts in findings.declared
    )
    note = "What the recipe says of tasks that no catalogue has. Nobody checked licence and citation."
    if any(facts["metric"] == "mcc" for facts in findings.declared):
        note += " mcc is Matthews' correlation times 100, from -100 to 100."
    return (Table("declared-tasks", "Tasks that the recipe declares", note, tuple(map(Column, columns)), rows),)
