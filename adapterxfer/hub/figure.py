"""The figure of a card: scores in every language with their intervals. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapterxfer.report.panels import score_limits
from adapterxfer.report.svg import INK, MUTED, SERIES, Panel, drawing, finish


def draw_scores(results: Mapping[str, Any]) -> list[Panel]:
    """One panel for each target with a main metric."""
    targets = dict.fromkeys(row["target"] for row in results["scores"] if not row["secondary"])
    return [_panel(results, target) for target in targets]


def _panel(results: Mapping[str, Any], target: str) -> Panel:
    rows = [row for row in results["scores"] if row["target"] == target and row["group"] != "zero-shot"]
    rows = [row for row in rows if row["score"] is not None]
    rows.sort(key=lambda row: (row["group"] != "source", -row["score"], row["language"]))
    mean = next((r["score"] for r in results["scores"] if r["target"] == target and r["group"] == "zero-shot"), None)
    name = "scores-" + re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")
    with drawing(name, width_inches=7.4, height_inches=2.9) as canvas:
        axes = canvas.add_axes((0.09, 0.2, 0.89, 0.68))
        for position, row in enumerate(rows):
            color = SERIES[1] if row["group"] == "source" else SERIES[0]
            if row["low"] is not None and row["high"] is not None:
                axes.plot([position, position], [row["low"], row["high"]], color=color)
            axes.plot([position], [row["score"]], marker="o", linestyle="none", color=color)
        if mean is not None:
            axes.axhline(mean, color=MUTED, linestyle="--", linewidth=1.0)
            axes.text(len(rows) - 0.5, mean, " mean", color=INK, fontsize=8, va="bottom", ha="right")
        axes.set_xticks(range(len(rows)), [row["language"] for row in rows], rotation=90 if len(rows) > 20 else 0)
        axes.set_ylim(score_limits([row["score"] if row["low"] is None else row["low"] for row in rows]))
        axes.set_ylabel("score, points")
        source = next((f", and {row['language']}" for row in rows if row["group"] == "source"), "")
        axes.set_title(f"{target}: languages without labelled target data{source}")
        level = f"{results['level']:.0%}"
        return finish(canvas, name, f"Score on {target} in every language with {level} intervals over test items")
