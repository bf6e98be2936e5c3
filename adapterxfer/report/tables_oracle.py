"""The diagnostic column: what selection by target development data would have given, beside the zero-shot scores."""

from __future__ import annotations

from statistics import fmean

from adapterxfer.catalog import oracle_system, oracle_without
from adapterxfer.report.content import Findings, Score
from adapterxfer.report.display import FULL, NONE
from adapterxfer.report.table_shape import Column, Table, Value

_NOTE = (
    "A diagnostic, no result: the column 'oracle (target dev)' is the same training once more, its weights selected by "
    "development data in the target languages, which zero-shot transfer does not have. Both columns are means over the "
    "same languages, those with development data, without {source}; they have no interval and are part of no "
    "comparison, hypothesis, verdict or caution."
)


def oracle_table(findings: Findings) -> Table:
    """Zero-shot score and diagnostic of each system, on the languages that have development data.

    Without an oracle in the study the table has no rows.
    """
    systems: dict[tuple[str, str, str], dict[str, Score]] = {}
    oracles: dict[tuple[str, str, str], dict[str, Score]] = {}
    for score in findings.scores:
        if score.group_kind != "language" or score.repeated:
            continue
        if name := oracle_system(score.control):
            oracles.setdefault((score.target, score.backbone, name), {})[score.group] = score
        elif not score.control:
            systems.setdefault((score.target, score.backbone, _name(score)), {})[score.group] = score
    rows: list[tuple[Value, ...]] = []
    for (target, backbone, name), with_oracle in oracles.items():
        first = next(iter(with_oracle.values()))
        without = oracle_without(first.control)
        plain = systems.get((target, backbone, name)) or systems.get((target, backbone, _without_adapter(name))) or {}
        same = [plain[code].score for code in with_oracle if code in plain]
        zero_shot = fmean(same) if len(same) == len(with_oracle) else None
        system, _, intermediate = name.partition(" after ")
        oracle = fmean(score.score for score in with_oracle.values())
        count = f"{len(with_oracle)} of {len(with_oracle) + len(without)}"
        rows.append(
            (target, backbone, system, intermediate or NONE, zero_shot, oracle, count, " ".join(without), first.seeds)
        )
    columns = (
        Column("target"),
        Column("backbone"),
        Column("system"),
        Column("intermediate"),
        Column("zero-shot, same languages", "points"),
        Column("diagnostic: oracle (target dev)", "points"),
        Column("languages"),
        Column("no dev set"),
        Column("seeds", "count"),
    )
    title = "Diagnostic: selection by target development data"
    return Table("oracle", title, _NOTE.format(source=findings.source_language), columns, tuple(rows))


def _name(score: Score) -> str:
    """A system as the plan names its diagnostic; the adapter is in it where the study has several."""
    return score.shown if score.intermediate == NONE else f"{score.shown} after {score.intermediate}"


def _without_adapter(name: str) -> str:
    """The same where a variant has one adapter in the study, which its name then leaves out."""
    system, after, intermediate = name.partition(" after ")
    return (system if system == FULL else system.rpartition(" ")[0]) + after + intermediate
