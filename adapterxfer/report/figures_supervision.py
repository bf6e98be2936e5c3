"""Learning curves: the score against how many labelled examples of the target language a model saw."""

from __future__ import annotations

import math
from typing import Any

from adapterxfer.catalog import base_target
from adapterxfer.catalog.supervision import FEW_SHOT, IN_LANGUAGE, kind_of, supervision_of
from adapterxfer.report.content import Findings, Score
from adapterxfer.report.display import NONE
from adapterxfer.report.panels import HEIGHT, WIDTH, file_slug, in_order, place_axes, place_legend
from adapterxfer.report.svg import MARKERS, SERIES, Figure, Panel, drawing, finish

PANELS = 6
"""One for each target and backbone; more are read in the table."""

SYMLOG_FROM = 1.0
"""Examples up to which the axis is linear, so that zero can be shown."""


def learning_curves(findings: Findings) -> Figure | None:
    """Few-shot and in-language scores of every variant, with and without the intermediate tasks.

    The point at zero is the zero-shot score in the same languages, so that a curve compares like with like.
    """
    curves: dict[tuple[str, str], dict[tuple[str, str, str], dict[int, float]]] = {}
    for score in findings.scores:
        kind = kind_of(supervision_of(score.target))
        examples = _examples(score.target)
        if kind not in (FEW_SHOT, IN_LANGUAGE) or examples is None or score.repeated or score.control:
            continue
        if score.group_kind != "target":
            continue
        panel = curves.setdefault((base_target(score.target), score.backbone), {})
        curve = panel.setdefault((kind, score.shown, score.intermediate), {})
        curve[examples] = score.score
        if kind == FEW_SHOT:
            start = _zero_shot(findings, score)
            if start is not None:
                curve.setdefault(0, start)
    panels = tuple(_panel(findings, *shown, lines) for shown, lines in list(curves.items())[:PANELS])
    caption = (
        "Mean score over the target languages, runs and draws, in points, against labelled examples in the target "
        "language (a logarithmic axis). Zero: the same system trained in English alone, in the same languages. Solid: "
        "a few examples after the English training; dotted: the language's own training set instead of it. Filled: "
        "after an intermediate task. Intervals are in the tables of supervision."
    )
    return Figure("learning-curves", "What labelled examples of the language add", caption, panels) if panels else None


def _examples(target: str) -> int | None:
    """The number at the end of ``few-shot-16``; None where all there are count."""
    last = target.rpartition("-")[2]
    return int(last) if last.isdecimal() else None


def _zero_shot(findings: Findings, score: Score) -> float | None:
    """Mean zero-shot score of the same system over the languages of a supervised target."""
    codes = next(facts.languages for facts in findings.targets if facts.name == score.target)
    system = (base_target(score.target), score.backbone, score.variant, score.adapter, score.intermediate)
    by_language = {
        row.group: row.score
        for row in findings.scores
        if row.group_kind == "language"
        and not row.control
        and (row.target, row.backbone, row.variant, row.adapter, row.intermediate) == system
    }
    if not set(codes) <= set(by_language):
        return None
    return math.fsum(by_language[code] for code in codes) / len(codes)


def _panel(
    findings: Findings, target: str, backbone: str, lines: dict[tuple[str, str, str], dict[int, float]]
) -> Panel:
    name = f"learning-curves-{file_slug(target)}-{file_slug(backbone)}"
    systems = list(dict.fromkeys(shown for _, shown, _ in lines))
    tasks = in_order([NONE, *findings.intermediates], {task for _, _, task in lines})
    ticks = sorted({examples for curve in lines.values() for examples in curve})
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = place_axes(canvas, bottom=0.36)
        for (kind, shown, task), curve in lines.items():
            _line(axes, curve, color=SERIES[systems.index(shown) % len(SERIES)],
                  marker=MARKERS[tasks.index(task) % len(MARKERS)], filled=task != NONE,
                  style="-" if kind == FEW_SHOT else ":", label=_label(kind, shown, task))  # fmt: skip
        axes.set_xscale("symlog", linthresh=SYMLOG_FROM)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("labelled examples in the target language")
        axes.set_ylabel("score, points")
        axes.set_title(f"{target}, {backbone}")
        place_legend(axes, below=-0.26, columns=2)
        return finish(canvas, name, f"Scores on {target} of {backbone} against labelled examples in the language")


def _line(axes: Any, curve: dict[int, float], *, color: str, marker: str, filled: bool, style: str, label: str) -> None:
    numbers = sorted(curve)
    axes.plot(
        numbers, [curve[number] for number in numbers], color=color, marker=marker, linestyle=style, label=label,
        markerfacecolor=color if filled else "none",
    )  # fmt: skip


def _label(kind: str, shown: str, task: str) -> str:
    after = "" if task == NONE else f", {task} first"
    return f"{shown}{after}" if kind == FEW_SHOT else f"{shown}{after}, in-language"
