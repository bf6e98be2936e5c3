"""What a system costs beside what it scores: trained parameters, and the memory that training them takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapterxfer.report.content import Findings, SystemSize
from adapterxfer.report.display import NONE, parameter_text
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
        _panel(findings, points, "cost-parameters", "trained parameters", lambda size: float(size.trainable[-1])),
        _panel(findings, points, "cost-memory", "memory of weights, gradients and optimiser, MiB", _mebibytes),
    ]
    if all(point.size.gflop for point in points):
        panels.insert(1, _panel(findings, points, "cost-operations", "operations of all trainings, TFLOP", _teraflop))
    caption = (
        "Each mark is a variant at one backbone size (larger marks, larger backbones): its zero-shot score, averaged "
        "over the targets that all of them have and over intermediate tasks. Memory is computed from parameter counts "
        "for fp32 and AdamW; activations come on top. Operations are estimated, "
        "the same on every machine; `adapterxfer plan` turns them into hours of yours."
    )
    return Figure("cost", "What a score costs", caption, tuple(panels))


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
    findings: Findings, points: Sequence[_Point], name: str, label: str, value: Callable[[SystemSize], float]
) -> Panel:
    order = sorted(backbone_sizes(findings), key=backbone_sizes(findings).__getitem__)
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = place_axes(canvas)
        variants = in_order(findings.variants, {point.variant for point in points})
        for variant in variants:
            chosen = sorted((p for p in points if p.variant == variant), key=lambda p: order.index(p.backbone))
            color = SERIES[findings.variants.index(variant) % len(SERIES)]
            axes.plot([value(p.size) for p in chosen], [p.score for p in chosen], color=color, linewidth=1)
            for point in chosen:
                axes.plot(
                    [value(point.size)],
                    [point.score],
                    linestyle="none",
                    marker=MARKERS[findings.variants.index(variant) % len(MARKERS)],
                    color=color,
                    markersize=5 + 2 * order.index(point.backbone),
                    label=variant if point is chosen[0] else None,
                )
        axes.set_xscale("log")
        _few_ticks(axes, [value(point.size) for point in points])
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


def _teraflop(size: SystemSize) -> float:
    """Of all trainings behind a system."""
    return (size.gflop or 0.0) / 1000.0


def _mebibytes(size: SystemSize) -> float:
    """Memory of the last training in MiB: trained weights, and the frozen weights beside them."""
    trained = size.trainable[-1]
    return (TRAINED_BYTES * trained + FROZEN_BYTES * (size.total[-1] - trained)) / 2**20


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
