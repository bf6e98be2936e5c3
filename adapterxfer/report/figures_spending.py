"""Figures of the variance components, and of what more seeds or more test items would let a study find."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adapterxfer.report.content import Findings
from adapterxfer.report.declared import Spending
from adapterxfer.report.panels import ROW_INCHES, place_legend, row_panel
from adapterxfer.report.svg import MARKERS, SERIES, Figure, Panel


def components(findings: Findings) -> Figure | None:
    """Variance of each main number by source, and what more seeds or items would let it find."""
    rows = [row for row in findings.spending if row.runs is not None and row.standard_error > 0]
    if not rows:
        return None
    panels = (_component_panel(rows), _detectable_panel(rows))
    caption = (
        "Left: where the variance of each number comes from. Right: the smallest true effect that would be found with "
        "probability 0.8, now, with twice the test items, and with five seeds."
    )
    return Figure("components", "Where the uncertainty comes from, and what to spend next", caption, panels)


def _component_panel(rows: Sequence[Spending]) -> Panel:
    sources: tuple[tuple[str, Callable[[Spending], float | None]], ...] = (
        ("test items", lambda row: row.items),
        ("training runs", lambda row: row.runs),
        ("runs x items", lambda row: row.interaction),
    )

    def paint(axes: Any) -> None:
        for position, row in enumerate(rows):
            total = math.fsum((get(row) or 0.0) ** 2 for _, get in sources) or 1.0
            start = 0.0
            for number, (label, get) in enumerate(sources):
                share = 100.0 * (get(row) or 0.0) ** 2 / total
                axes.barh(
                    position, share, left=start, height=0.62, color=SERIES[number], label=None if position else label
                )
                start += share
        axes.set_xlim(0, 100)
        place_legend(axes, below=-0.62 / (ROW_INCHES * len(rows) + 0.4), columns=3)

    labels = [row.subject for row in rows]
    alt = "Share of the variance by source"
    return row_panel("components", "variance by source", labels, "percent", alt, paint, zero=False, below=0.95)


def _detectable_panel(rows: Sequence[Spending]) -> Panel:
    choices: tuple[tuple[str, Callable[[Spending], float | None]], ...] = (
        ("now", lambda row: row.detectable),
        ("twice the items", lambda row: row.with_twice_items),
        ("five seeds", lambda row: dict(row.with_seeds).get(5)),
    )
    far = sorted(
        value for row in rows for _, get in choices if (value := get(row)) is not None and math.isfinite(value)
    )
    limit = far[int(0.9 * (len(far) - 1))] * 1.25 if far else 1.0

    def paint(axes: Any) -> None:
        for number, (label, get) in enumerate(choices):
            points = [(value, position) for position, row in enumerate(rows) if (value := get(row)) is not None]
            shown = [(value, position) for value, position in points if value <= limit]
            axes.plot(
                [value for value, _ in shown],
                [position for _, position in shown],
                linestyle="none",
                marker=MARKERS[number],
                color=SERIES[number],
                label=label,
            )
            for value, position in points:
                if value > limit:
                    axes.annotate(
                        f"{value:.0f} \u2192",
                        (limit, position),
                        ha="right",
                        va="center",
                        fontsize=8,
                        color=SERIES[number],
                    )
        axes.set_xlim(0, limit * 1.02)
        place_legend(axes, below=-0.62 / (ROW_INCHES * len(rows) + 0.4), columns=3)

    labels = [row.subject for row in rows]
    alt = "Smallest effect we would find now and with more data"
    return row_panel(
        "detectable", "smallest effect we would find", labels, "points", alt, paint, zero=False, below=0.95
    )
