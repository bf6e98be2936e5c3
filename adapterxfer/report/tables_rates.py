"""Tables of chosen settings, and of the trend with size at chosen and at common learning rates."""

from __future__ import annotations

from adapterxfer.recipe.axes import AXES
from adapterxfer.report.content import Findings
from adapterxfer.report.table_shape import Column, Table

CHOSEN_FOR = AXES[:-1]
"""A choice serves all seeds."""


def rate_tables(findings: Findings) -> tuple[Table, ...]:
    """Those that have rows."""
    return tuple(table for table in (_trends(findings), _choices(findings)) if table.rows)


def _choices(findings: Findings) -> Table:
    columns = (
        *(Column(name) for name in ("phase", *CHOSEN_FOR, "setting")),
        Column("chosen"), Column("dev scores"), Column("at an end: next"),
    )  # fmt: skip
    rows = tuple(
        (
            row.phase, *(getattr(row, axis) for axis in CHOSEN_FOR), row.setting.replace("_", " "), f"{row.value:g}",
            "; ".join(
                f"{value:g}: {'diverged' if score is None else f'{score:.1f}'}"
                for value, score in zip(row.grid, row.scores, strict=True)
            ),
            "" if row.beyond is None else f"{row.beyond:g}",
        )
        for row in findings.chosen
    )  # fmt: skip
    note = (
        "English development data alone choose, in training runs of their own. A choice without an intermediate task "
        "serves all that is trained in the same mode. Dev scores: of each value, mean over the runs that choose."
    )
    return Table("choices", "Settings chosen on English development data", note, columns, rows, open=False)


def _trends(findings: Findings) -> Table:
    columns = (Column("variant"), Column("learning rates"), Column("trend", "signed"), Column("interval", "interval"))
    rows = tuple(
        (
            row.variant,
            ", ".join(f"{block} {rate:g}" for block, rate in row.rates.items()) or "chosen for each backbone",
            row.estimate,
            (row.low, row.high),
        )
        for row in findings.common_trends
    )
    note = (
        "The trend of the mean zero-shot gain, in points per tenfold parameters, with the rates that English "
        "development data chose for each backbone, and with one rate for all. A table of sensitivity: intervals are "
        "not adjusted for the number of rates, and there is no verdict. Where signs differ, the trend is the rate's."
    )
    return Table("trend-by-rate", "The trend with size at each learning rate", note, columns, rows)
