"""What the figures share: axes, intervals, the size axis, the cells of a map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

from adapterxfer.report.content import MODELS_ONLY, Effect, Findings, Score
from adapterxfer.report.display import parameter_text, signed
from adapterxfer.report.svg import GRID, INK, MUTED, Panel, drawing, finish
from adapterxfer.report.words import level_text
from adapterxfer.statistics.thresholds import BEST_SCORE

WIDTH, HEIGHT = 4.7, 3.5
"""Inches of a panel; about 450 by 340 CSS pixels, so 9.5 point text stays readable on a phone."""

CHARACTER_INCHES = 0.082
"""Width of an average letter at the size of tick labels; generous, so that labels are never cut."""

ROW_INCHES = 0.3
"""Height of a row in panels with one row per thing."""

ROOM_BELOW = 5.0
"""Points below the lowest score of an axis, so that its mark is not cut."""

ROOM_ABOVE = 2.5
"""The same above the best score."""

_HEAT_POSITIVE, _HEAT_NEGATIVE, _HEAT_TEXT = (37, 99, 235), (217, 87, 15), "#101114"


def place_axes(canvas: Any, *, left: float = 0.125, bottom: float = 0.3, top: float = 0.08) -> Any:
    """Axes with fixed margins as shares of the figure: a layout engine would draw every panel twice."""
    return canvas.add_axes((left, bottom, 0.98 - left, 1.0 - bottom - top))


def place_legend(axes: Any, *, below: float = -0.24, columns: int = 3) -> None:
    """A legend below the axes, where it covers nothing, in the middle of the panel."""
    span = axes.get_position()
    middle = (0.5 - span.x0) / span.width
    axes.legend(ncols=columns, loc="upper center", bbox_to_anchor=(middle, below), columnspacing=1.2, handletextpad=0.5)


def interval_line(
    axes: Any, places: list[float], effects: list[Effect], *, label: str, color: str, marker: str, thick: bool
) -> None:
    """Points with intervals, and a line through the mean at every size (a size may have several backbones)."""
    below = [e.estimate - e.low if math.isfinite(e.low) else 0.0 for e in effects]
    above = [e.high - e.estimate if math.isfinite(e.high) else 0.0 for e in effects]
    at_size: dict[float, list[Effect]] = {}
    for position, effect in zip(places, effects, strict=True):
        at_size.setdefault(position, []).append(effect)
    spread = {id(e): dodge(i, len(same)) for same in at_size.values() for i, e in enumerate(same)}
    axes.plot(
        list(at_size),
        [math.fsum(e.estimate for e in same) / len(same) for same in at_size.values()],
        color=color,
        linewidth=2.4 if thick else 1.2,
        zorder=3 if thick else 2,
    )
    axes.errorbar(
        [position * spread[id(effect)] for position, effect in zip(places, effects, strict=True)],
        [e.estimate for e in effects],
        yerr=[below, above],
        color=color,
        marker=marker,
        label=label,
        linestyle="none",
        elinewidth=1.6 if thick else 1.0,
        capsize=3 if thick else 2,
        zorder=3 if thick else 2,
    )


def heat_cell(axes: Any, column: int, row: int, effect: Effect, strongest: float, *, hollow: bool = False) -> None:
    """One cell of a map: tinted by sign and size unless hollow, with its number and its mark."""
    from matplotlib.patches import Rectangle

    share = min(abs(effect.estimate) / strongest, 1.0)
    tint = _HEAT_POSITIVE if effect.estimate > 0 else _HEAT_NEGATIVE
    # At most 60 % tint: black text stays readable on every cell, in both schemes.
    red, green, blue = (round(255 - 0.6 * share * (255 - channel)) for channel in tint)
    ground = "none" if hollow else f"#{red:02x}{green:02x}{blue:02x}"
    box = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=ground, edgecolor=GRID)
    axes.add_patch(box)
    mark = " **" if effect.verdict == "difference found" else " *" if effect.remark == MODELS_ONLY else ""
    weight = "bold" if mark == " **" else "normal"
    text = f"{signed(effect.estimate)}{mark}"
    axes.text(
        column, row, text, ha="center", va="center", color=INK if hollow else _HEAT_TEXT, fontsize=9, fontweight=weight
    )


def size_axis(axes: Any, findings: Findings) -> None:
    """A logarithmic axis of non-embedding parameters with one tick per size."""
    from matplotlib.ticker import NullFormatter, NullLocator

    sizes = sorted(set(backbone_sizes(findings).values()))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sizes, [parameter_text(size) for size in sizes])
    margin = 1.35
    axes.set_xlim(sizes[0] / margin, sizes[-1] * margin)
    axes.set_xlabel("non-embedding parameters")
    axes.grid(visible=False, axis="x")


def backbone_sizes(findings: Findings) -> dict[str, float]:
    """Trained backbone -> its place on the size axis."""
    return {
        facts.name: float(facts.non_embedding_parameters or facts.parameters or 1)
        for facts in findings.backbones
        if not facts.untrained
    }


def short_size(findings: Findings, backbone: str) -> str:
    """Name of a backbone, without the words with which all begin, over its size."""
    names = [name.split("-") for name in backbone_sizes(findings)]
    shared = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*names, strict=False)))
    if any(len(words) == shared for words in names):
        shared = 0  # nothing would be left of one of them
    short = "-".join(backbone.split("-")[shared:])
    return f"{short}\n{parameter_text(backbone_sizes(findings)[backbone])}"


def level_of(findings: Findings) -> str:
    """Coverage of the intervals of a report, as text."""
    return level_text(float(findings.settings["level"]))


def zero_shot_scores(findings: Findings) -> list[Score]:
    """Scores averaged over all zero-shot languages."""
    return [s for s in findings.scores if s.group_kind == "zero-shot"]


def mean_by_size(scores: Sequence[Score], sizes: dict[str, float]) -> dict[float, float]:
    """Size -> mean score of everything of that size, smallest first."""
    table: dict[float, list[float]] = {}
    for score in scores:
        table.setdefault(sizes[score.backbone], []).append(score.score)
    return {size: math.fsum(values) / len(values) for size, values in sorted(table.items())}


def single_runs(axes: Any, scores: Sequence[Score], sizes: dict[str, float], *, shift: float, color: str) -> None:
    """A small dot for every training run behind a mean, beside it, so that one that failed is seen."""
    dots = [(sizes[score.backbone] * shift, run) for score in scores if len(score.runs) > 1 for run in score.runs]
    axes.plot(
        [size for size, _ in dots], [run for _, run in dots],
        linestyle="none", marker="o", markersize=3.2, markeredgewidth=0, color=color, alpha=0.6, zorder=1,
    )  # fmt: skip


def score_limits(scores: Sequence[float]) -> tuple[float, float]:
    """The range of scores: 0 to 100, and further down where a correlation below 0 is drawn."""
    lowest = min(scores, default=0.0)
    return (lowest - ROOM_BELOW if lowest < 0.0 else 0.0), BEST_SCORE + ROOM_ABOVE


def common_limits(values: Sequence[float]) -> tuple[float, float]:
    """A common range with room to breathe; infinite ends are left out, far ones are cut at three times the bulk."""
    finite = sorted(value for value in values if math.isfinite(value)) or [0.0]
    bulk = max(abs(finite[len(finite) // 10]), abs(finite[-1 - len(finite) // 10]), 2.0)
    low, high = max(min(*finite, 0.0), -3 * bulk), min(max(*finite, 0.0), 3 * bulk)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def dodge(index: float, count: int) -> float:
    """A factor near 1 that moves series apart on a logarithmic axis, so that their bars do not cover each other."""
    return float(10 ** (0.018 * (index - (count - 1) / 2)))


def in_order(order: Sequence[str], present: set[str]) -> list[str]:
    """The names of ``order`` that are present, in that order."""
    return [name for name in order if name in present]


def file_slug(text: str) -> str:
    """A text as part of a file name."""
    return "".join(character if character.isalnum() else "-" for character in text).strip("-").lower()


def interval_bar(
    axes: Any, row: float, value: float, *, low: float, high: float, color: str, marker: str, hollow: bool = False
) -> None:
    """One point with a horizontal interval; infinite ends are left out."""
    left = value - low if math.isfinite(low) else 0.0
    right = high - value if math.isfinite(high) else 0.0
    axes.errorbar(
        [value],
        [row],
        xerr=[[left], [right]],
        color=color,
        marker=marker,
        markerfacecolor="none" if hollow else color,
        linestyle="none",
        elinewidth=1.4,
        capsize=3,
    )


def row_panel(
    name: str,
    title: str,
    labels: Sequence[str],
    unit: str,
    alt: str,
    paint: Callable[[Any], None],
    *,
    zero: bool = True,
    below: float = 0.45,
) -> Panel:
    """A panel with one row per label, the first on top, as high as its rows need."""
    height = 0.35 + ROW_INCHES * len(labels) + below
    with drawing(name, width_inches=WIDTH, height_inches=height) as canvas:
        left = min((0.15 + CHARACTER_INCHES * max(map(len, labels))) / WIDTH, 0.55)
        axes = place_axes(canvas, left=left, bottom=below / height, top=0.3 / height)
        axes.grid(visible=False, axis="y")
        if zero:
            axes.axvline(0, color=MUTED, linewidth=1)
        paint(axes)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", x=-left / (0.98 - left))
        return finish(canvas, name, alt)
