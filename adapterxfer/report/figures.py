"""The figures of a report, each as small panels that stand side by side on a desk and below each other on a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapterxfer.report.cells import NONE, parameter_text, signed
from adapterxfer.report.model import Effect, Findings, Score
from adapterxfer.report.svg import GRID, INK, MARKERS, MUTED, SERIES, Panel, drawing, finish

WIDTH, HEIGHT = 4.7, 3.5
"""Inches of a panel; about 450 by 340 CSS pixels, so 9.5 point text stays readable on a phone."""

_CHARACTER_INCHES = 0.082
"""Width of an average letter at the size of tick labels; generous, so that labels are never cut."""

_HEAT_POSITIVE, _HEAT_NEGATIVE, _HEAT_TEXT = (37, 99, 235), (217, 87, 15), "#101114"


@dataclass(frozen=True, slots=True)
class Figure:
    """Panels with one title and one caption."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


def draw_figures(findings: Findings) -> tuple[Figure, ...]:
    """All figures that the findings have data for, in the order of the page."""
    makers: tuple[Callable[[Findings], Figure | None], ...] = (gain_by_size, variants_by_size, gain_map, by_language)
    return tuple(figure for maker in makers if (figure := maker(findings)) is not None)


def gain_by_size(findings: Findings) -> Figure | None:
    """Gain against log10 non-embedding parameters: the zero-shot mean and every family, one panel per variant."""
    rows = [e for e in findings.effects if e.kind == "gain" and not e.intermediate and e.backbone]
    rows = [e for e in rows if e.group_kind in ("zero-shot", "family")]
    if not rows:
        return None
    sizes = _sizes(findings)
    groups = list(dict.fromkeys((e.group_kind, e.group) for e in rows))
    limits = _limits([value for e in rows for value in (e.low, e.high)])
    panels = []
    for variant in _in_order(findings.variants, {e.variant for e in rows}):
        name = f"gain-by-size-{_slug(variant)}"
        with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
            axes = _axes(canvas)
            axes.axhline(0, color=MUTED, linewidth=1)
            for index, (kind, group) in enumerate(groups):
                own = [e for e in rows if (e.variant, e.group_kind, e.group) == (variant, kind, group)]
                own.sort(key=lambda e: sizes[e.backbone])
                main = kind == "zero-shot"
                _interval_line(
                    axes,
                    [sizes[e.backbone] * _dodge(index, len(groups)) for e in own],
                    own,
                    label="all zero-shot" if main else f"family {group}",
                    color=INK if main else SERIES[(index - 1) % len(SERIES)],
                    marker="o" if main else MARKERS[index % len(MARKERS)],
                    thick=main,
                )
            _size_axis(axes, findings)
            axes.set_ylim(limits)
            axes.set_ylabel("gain, points")
            axes.set_title(variant)
            _legend(axes)
            panels.append(finish(canvas, name, f"Gain against parameters with {variant}, by language family"))
    caption = (
        "Gain of the intermediate task in points, averaged over all (intermediate, target) pairs of the variant. Bars "
        f"are {findings.settings['level']:.0%} intervals over new test items and new training runs. Above 0: the "
        "intermediate task helped."
    )
    return Figure("gain-by-size", "Gain against backbone size, by language family", caption, tuple(panels))


def variants_by_size(findings: Findings) -> Figure | None:
    """Difference of every variant to the first one at each size, then the scores behind it for each target."""
    panels = [panel for panel in (_variant_differences(findings), *_target_scores(findings)) if panel is not None]
    if not panels:
        return None
    caption = (
        "First panel: score minus the score of the first variant, both with the same intermediate task, averaged over "
        "the pairs both have, with intervals. Other panels: zero-shot score on each target; solid: mean over "
        "intermediate tasks, dashed: without one."
    )
    return Figure("variants-by-size", "Transfer variants at each size", caption, tuple(panels))


def _variant_differences(findings: Findings) -> Panel | None:
    if not findings.variants:
        return None
    first = findings.variants[0]
    rows = [
        e
        for e in findings.effects
        if e.kind == "variant difference" and not e.intermediate and e.backbone and e.against == first
    ]
    if not rows:
        return None
    sizes = _sizes(findings)
    name = "variant-differences"
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = _axes(canvas)
        axes.axhline(0, color=MUTED, linewidth=1)
        variants = _in_order(findings.variants, {e.variant for e in rows})
        for index, variant in enumerate(variants):
            own = sorted((e for e in rows if e.variant == variant), key=lambda e: sizes[e.backbone])
            number = findings.variants.index(variant)
            _interval_line(
                axes,
                [sizes[e.backbone] * _dodge(index, len(variants)) for e in own],
                own,
                label=variant,
                color=SERIES[number % len(SERIES)],
                marker=MARKERS[number % len(MARKERS)],
                thick=False,
            )
        _size_axis(axes, findings)
        axes.set_ylabel(f"minus {first}, points")
        axes.set_title(f"difference to {first}")
        _legend(axes)
        return finish(canvas, name, f"Difference of each variant to {first} at each size, with intervals")


def _target_scores(findings: Findings) -> list[Panel]:
    scores = _zero_shot(findings)
    sizes = _sizes(findings)
    panels = []
    for target in [facts.name for facts in findings.targets]:
        own = [s for s in scores if s.target == target and not s.control and s.backbone in sizes]
        if not own:
            continue
        name = f"scores-{_slug(target)}"
        with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
            axes = _axes(canvas)
            for variant in _in_order(findings.variants, {s.variant for s in own}):
                number = findings.variants.index(variant)
                color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
                for with_task in (True, False):
                    chosen = [s for s in own if s.variant == variant and (s.intermediate != NONE) == with_task]
                    means = _mean_by_size(chosen, sizes)
                    axes.plot(
                        list(means),
                        list(means.values()),
                        color=color,
                        marker=marker,
                        linestyle="-" if with_task else (0, (4, 2)),
                        markerfacecolor=color if with_task else "none",
                        label=variant if with_task else None,
                    )
            _size_axis(axes, findings)
            axes.set_ylabel("zero-shot score, points")
            axes.set_title(target)
            _legend(axes)
            panels.append(finish(canvas, name, f"Zero-shot score on {target} by size and variant"))
    return panels


def gain_map(findings: Findings) -> Figure | None:
    """Gain of every (intermediate, target) pair at every size, one panel per variant."""
    rows = [e for e in findings.effects if e.hypotheses == "gain of each cell"]
    if not rows:
        return None
    strongest = max(max(abs(e.estimate) for e in rows), 1.0)
    backbones = [facts.name for facts in findings.backbones if any(e.backbone == facts.name for e in rows)]
    panels = []
    for variant in _in_order(findings.variants, {e.variant for e in rows}):
        own = {(e.intermediate, e.target, e.backbone): e for e in rows if e.variant == variant}
        pairs = list(dict.fromkeys((intermediate, target) for intermediate, target, _ in own))
        name = f"gain-map-{_slug(variant)}"
        height = 0.85 + 0.34 * len(pairs)
        with drawing(name, width_inches=WIDTH, height_inches=height) as canvas:
            names = [f"{intermediate} > {target}" for intermediate, target in pairs]
            left = (0.15 + _CHARACTER_INCHES * max(map(len, names))) / WIDTH
            axes = _axes(canvas, left=min(left, 0.5), bottom=0.5 / height, top=0.3 / height)
            axes.grid(visible=False)
            for row, pair in enumerate(pairs):
                for column, backbone in enumerate(backbones):
                    effect = own.get((*pair, backbone))
                    if effect is not None:
                        _heat_cell(axes, column, row, effect, strongest)
            axes.set_xlim(-0.5, len(backbones) - 0.5)
            axes.set_ylim(len(pairs) - 0.5, -0.5)
            axes.set_xticks(range(len(backbones)), [_short_size(findings, backbone) for backbone in backbones])
            axes.set_yticks(range(len(pairs)), names)
            axes.tick_params(length=0)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            axes.set_title(variant)
            panels.append(finish(canvas, name, f"Gain of every intermediate and target pair with {variant}"))
    caption = (
        "Zero-shot gain in points of every (intermediate > target) pair at every size. ** difference found after "
        "correction for all cells; * found for these models only; no mark: inconclusive."
    )
    return Figure("gain-map", "Where the gains are", caption, tuple(panels))


def by_language(findings: Findings) -> Figure | None:
    """Score in every language at the largest size without intermediate task, beside the controls."""
    trained = [facts.name for facts in findings.backbones if not facts.untrained]
    if not trained:
        return None
    largest = trained[-1]
    order = [row["code"] for row in findings.languages]
    panels = []
    for facts in findings.targets:
        rows = [
            s
            for s in findings.scores
            if s.target == facts.name and s.group_kind in ("language", "source") and s.intermediate == NONE
        ]
        own = [s for s in rows if s.backbone == largest and not s.control and not s.repeated]
        controls = [s for s in rows if s.control and s.backbone in ("", largest, f"{largest}-untrained")]
        if own:
            panels.append(
                _language_panel(findings, facts.name, own, controls, [c for c in order if c in facts.languages])
            )
    if not panels:
        return None
    caption = (
        f"Scores of {largest} without an intermediate task, mean over seeds, in every language (grouped by family, "
        "high resource first). Grey marks are controls: rules, guesses, and the same training on an untrained twin. A "
        "score at their level shows no transfer."
    )
    return Figure("by-language", "Scores by language, beside the controls", caption, tuple(panels))


def _language_panel(
    findings: Findings, target: str, own: Sequence[Score], controls: Sequence[Score], codes: list[str]
) -> Panel:
    name = f"languages-{_slug(target)}"
    place = {code: index for index, code in enumerate(codes)}
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = _axes(canvas)
        for index, control in enumerate(dict.fromkeys(s.control for s in controls)):
            marks = [s for s in controls if s.control == control and s.group in place]
            axes.plot(
                [place[s.group] for s in marks],
                [s.score for s in marks],
                linestyle="none",
                marker=("_", "x", "+", "1", "2", "3")[index % 6],
                color=MUTED,
                markersize=7,
                label=control,
            )
        systems = list(dict.fromkeys((s.variant, s.shown) for s in own))
        for index, (variant, shown) in enumerate(systems):
            number = findings.variants.index(variant)
            marks = [s for s in own if s.shown == shown and s.group in place]
            shift = 0.16 * (index - (len(systems) - 1) / 2)
            axes.plot(
                [place[s.group] + shift for s in marks],
                [s.score for s in marks],
                linestyle="none",
                marker=MARKERS[number % len(MARKERS)],
                color=SERIES[number % len(SERIES)],
                label=shown,
            )
        axes.set_xticks(range(len(codes)), codes, rotation=90 if len(codes) > 20 else 0)
        axes.set_ylabel("score, points")
        axes.set_ylim(0, 100)
        axes.set_title(target)
        _legend(axes, below=-0.12, columns=2)
        return finish(canvas, name, f"Scores on {target} by language, with controls")


def _axes(canvas: Any, *, left: float = 0.125, bottom: float = 0.3, top: float = 0.08) -> Any:
    """Axes with fixed margins as shares of the figure: a layout engine would draw every panel twice."""
    return canvas.add_axes((left, bottom, 0.98 - left, 1.0 - bottom - top))


def _legend(axes: Any, *, below: float = -0.24, columns: int = 3) -> None:
    axes.legend(ncols=columns, loc="upper center", bbox_to_anchor=(0.47, below), columnspacing=1.2, handletextpad=0.5)


def _interval_line(
    axes: Any, places: list[float], effects: list[Effect], *, label: str, color: str, marker: str, thick: bool
) -> None:
    """Points with intervals, and a line through the mean at every size (a size may have several backbones)."""
    below = [e.estimate - e.low if math.isfinite(e.low) else 0.0 for e in effects]
    above = [e.high - e.estimate if math.isfinite(e.high) else 0.0 for e in effects]
    at_size: dict[float, list[Effect]] = {}
    for place, effect in zip(places, effects, strict=True):
        at_size.setdefault(place, []).append(effect)
    spread = {id(e): _dodge(i, len(same)) for same in at_size.values() for i, e in enumerate(same)}
    axes.plot(
        list(at_size),
        [math.fsum(e.estimate for e in same) / len(same) for same in at_size.values()],
        color=color,
        linewidth=2.4 if thick else 1.2,
        zorder=3 if thick else 2,
    )
    axes.errorbar(
        [place * spread[id(effect)] for place, effect in zip(places, effects, strict=True)],
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


def _heat_cell(axes: Any, column: int, row: int, effect: Effect, strongest: float) -> None:
    from matplotlib.patches import Rectangle

    share = min(abs(effect.estimate) / strongest, 1.0)
    tint = _HEAT_POSITIVE if effect.estimate > 0 else _HEAT_NEGATIVE
    # At most 60 % tint: black text stays readable on every cell, in both schemes.
    red, green, blue = (round(255 - 0.6 * share * (255 - part)) for part in tint)
    box = Rectangle(
        (column - 0.48, row - 0.46), 0.96, 0.92, facecolor=f"#{red:02x}{green:02x}{blue:02x}", edgecolor=GRID
    )
    axes.add_patch(box)
    mark = {"difference found": " **", "found for these models": " *"}.get(effect.verdict, "")
    weight = "bold" if mark == " **" else "normal"
    text = f"{signed(effect.estimate)}{mark}"
    axes.text(column, row, text, ha="center", va="center", color=_HEAT_TEXT, fontsize=9, fontweight=weight)


def _size_axis(axes: Any, findings: Findings) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    sizes = sorted(set(_sizes(findings).values()))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sizes, [parameter_text(size) for size in sizes])
    margin = 1.35
    axes.set_xlim(sizes[0] / margin, sizes[-1] * margin)
    axes.set_xlabel("non-embedding parameters")
    axes.grid(visible=False, axis="x")


def _sizes(findings: Findings) -> dict[str, float]:
    return {
        facts.name: float(facts.non_embedding_parameters or facts.parameters or 1)
        for facts in findings.backbones
        if not facts.untrained
    }


def _short_size(findings: Findings, backbone: str) -> str:
    return f"{backbone}\n{parameter_text(_sizes(findings)[backbone])}"


def _zero_shot(findings: Findings) -> list[Score]:
    return [s for s in findings.scores if s.group_kind == "zero-shot"]


def _mean_by_size(scores: Sequence[Score], sizes: dict[str, float]) -> dict[float, float]:
    table: dict[float, list[float]] = {}
    for score in scores:
        table.setdefault(sizes[score.backbone], []).append(score.score)
    return {size: math.fsum(values) / len(values) for size, values in sorted(table.items())}


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """A common range with room to breathe; infinite ends are left out, far ones are cut at three times the bulk."""
    finite = sorted(value for value in values if math.isfinite(value)) or [0.0]
    bulk = max(abs(finite[len(finite) // 10]), abs(finite[-1 - len(finite) // 10]), 2.0)
    low, high = max(min(*finite, 0.0), -3 * bulk), min(max(*finite, 0.0), 3 * bulk)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _dodge(index: int, count: int) -> float:
    """A factor near 1 that moves series apart on a logarithmic axis, so that their bars do not cover each other."""
    return float(10 ** (0.018 * (index - (count - 1) / 2)))


def _in_order(order: Sequence[str], present: set[str]) -> list[str]:
    return [name for name in order if name in present]


def _slug(text: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in text).strip("-").lower()
