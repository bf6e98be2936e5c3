"""What a system costs beside what it scores: trained parameters, memory, operations, and measured hours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapterxfer.report.content import Findings, SystemSize
from adapterxfer.report.display import NONE, parameter_text
from adapterxfer.report.hours import HoursRow
from adapterxfer.report.panels import HEIGHT, WIDTH, backbone_sizes, in_order, place_axes, place_legend
from adapterxfer.report.svg import MARKERS, SERIES, Figure, Panel, drawing, finish

TRAINED_BYTES, FROZEN_BYTES = 16, 4
"""Of one parameter in fp32: weight, gradient and two moments of Adam where it trains, its weight where it does not."""


@dataclass(frozen=True, slots=True)
class _Point:
    variant: str
    backbone: str
    size: SystemSize
    score: float


def cost(findings: Findings) -> Figure | None:
    """Mean zero-shot score of every variant at every size against what its training takes."""
    points = _points(findings)
    if len({(point.variant, point.backbone) for point in points}) < 2:
        return None
    panels = [
        _panel(findings, points, "cost-parameters", "trained parameters", lambda p: float(p.size.trainable[-1])),
        _panel(findings, points, "cost-memory", "memory of weights, gradients and optimiser, MiB", _mebibytes),
    ]
    caption = (
        "Each mark is a variant at one backbone size (larger marks, larger backbones): its zero-shot score, averaged "
        "over the targets that all of them have and over intermediate tasks. Memory is computed from parameter counts "
        "for fp32 and AdamW; activations come on top."
    )
    return Figure("cost", "What a score costs", caption, tuple(panels))


def cost_in_operations(findings: Findings) -> Figure | None:
    """The same against estimated operations: a file beside the page, which shows measured hours where it has them."""
    points = _points(findings)
    if len({(point.variant, point.backbone) for point in points}) < 2 or not all(p.size.gflop for p in points):
        return None
    panel = _panel(findings, points, "cost-operations", "operations of all trainings, TFLOP", _teraflop)
    caption = (
        "Zero-shot score of every variant against the estimated operations of all trainings behind it, the same on "
        "every machine; `adapterxfer plan` turns them into hours of yours."
    )
    return Figure("cost-operations", "What a score costs in operations", caption, (panel,))


def cost_in_hours(findings: Findings, hours: Sequence[HoursRow]) -> Panel | None:
    """The same against measured time, if it is known of every mark and was measured on machines of one kind."""
    points = _points(findings)
    marks = {(point.backbone, point.variant) for point in points}
    known = {(row.backbone, row.variant): row.hours for row in hours if row.hours}
    devices = {row.devices for row in hours if (row.backbone, row.variant) in marks}
    if len(marks) < 2 or not marks <= known.keys() or len(devices) != 1:
        return None
    unit, factor = unit_of(hours)
    label = f"time of all trainings in {unit}, {' and '.join(devices.pop())}"
    return _panel(findings, points, "cost-hours", label, lambda p: factor * known[p.backbone, p.variant])


def unit_of(hours: Sequence[HoursRow]) -> tuple[str, float]:
    """The unit in which the longest of some times is at least 1, and how many of it an hour has."""
    longest = max((row.hours or 0.0 for row in hours), default=0.0)
    return ("hours", 1.0) if longest >= 1.0 else ("minutes", 60.0) if longest >= 1.0 / 60.0 else ("seconds", 3600.0)


def _points(findings: Findings) -> list[_Point]:
    """Variants whose trained parameters are known, on the targets on which all of them were scored."""
    sizes = {(row.backbone, row.system): row for row in findings.sizes if row.trainable and row.trainable[-1]}
    table: dict[tuple[str, str], dict[str, list[float]]] = {}
    for score in findings.scores:
        if score.group_kind != "zero-shot" or score.control or score.intermediate == NONE:
            continue
        if (score.backbone, score.shown) in sizes:
            table.setdefault((score.backbone, score.shown), {}).setdefault(score.target, []).append(score.score)
    shared = set.intersection(*(set(targets) for targets in table.values())) if table else set()
    return [
        _Point(shown, backbone, sizes[backbone, shown], _mean([_mean(targets[name]) for name in sorted(shared)]))
        for (backbone, shown), targets in table.items()
        if shared
    ]


def _panel(
    findings: Findings, points: Sequence[_Point], name: str, label: str, value: Callable[[_Point], float]
) -> Panel:
    order = sorted(backbone_sizes(findings), key=backbone_sizes(findings).__getitem__)
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = place_axes(canvas)
        variants = in_order(findings.variants, {point.variant for point in points})
        for variant in variants:
            chosen = sorted((p for p in points if p.variant == variant), key=lambda p: order.index(p.backbone))
            color = SERIES[findings.variants.index(variant) % len(SERIES)]
            axes.plot([value(p) for p in chosen], [p.score for p in chosen], color=color, linewidth=1)
            for point in chosen:
                axes.plot(
                    [value(point)],
                    [point.score],
                    linestyle="none",
                    marker=MARKERS[findings.variants.index(variant) % len(MARKERS)],
                    color=color,
                    markersize=5 + 2 * order.index(point.backbone),
                    label=variant if point is chosen[0] else None,
                )
        axes.set_xscale("log")
        _few_ticks(axes, [value(point) for point in points])
        axes.set_xlabel(label)
        axes.set_ylabel("zero-shot score, points")
        axes.set_title(f"score against {label.partition(' of ')[0]}")
        place_legend(axes)
        return finish(canvas, name, f"Zero-shot score of each variant against {label}")


def _few_ticks(axes: object, values: Sequence[float]) -> None:
    """Ticks at powers of ten, in words: 10 K is easier to read than 10^4."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    wide = max(values) / min(values) > 30
    axis = axes.xaxis  # type: ignore[attr-defined]
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(
        FuncFormatter(lambda number, _: f"{number:g}" if number < 1000 else parameter_text(number))
    )
    axis.set_minor_formatter(NullFormatter())


def _teraflop(point: _Point) -> float:
    """Of all trainings behind a system."""
    return (point.size.gflop or 0.0) / 1000.0


def _mebibytes(point: _Point) -> float:
    """Memory of the last training in MiB: trained weights, and the frozen weights beside them."""
    trained = point.size.trainable[-1]
    return (TRAINED_BYTES * trained + FROZEN_BYTES * (point.size.total[-1] - trained)) / 2**20


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
