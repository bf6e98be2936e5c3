"""The figures of a report, each as small panels that stand side by side on a desk and below each other on a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapterxfer.catalog import ORACLE, is_development
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report import figures_declared as declared
from adapterxfer.report.content import Effect, Findings, Score
from adapterxfer.report.display import NONE
from adapterxfer.report.figures_cost import cost, cost_in_operations
from adapterxfer.report.figures_spending import components
from adapterxfer.report.figures_supervision import learning_curves
from adapterxfer.report.panels import (
    CHARACTER_INCHES,
    HEIGHT,
    WIDTH,
    backbone_sizes,
    common_limits,
    dodge,
    file_slug,
    heat_cell,
    in_order,
    interval_line,
    level_of,
    mean_by_size,
    place_axes,
    place_legend,
    score_limits,
    short_size,
    single_runs,
    size_axis,
    zero_shot_scores,
)
from adapterxfer.report.svg import INK, MARKERS, MUTED, SERIES, Figure, Panel, drawing, finish

ALL_ZERO_SHOT = "all zero-shot"


def draw_figures(findings: Findings) -> tuple[Figure, ...]:
    """All figures that the findings have data for: those of the page in its order, then files beside it.

    The page shows five figures about the question, one of labelled examples where there are any, and one of cost.
    """
    by_kind = gain_by_kind(findings)
    by_size = gain_by_size(findings)
    page = [
        by_kind or by_size,
        *(
            maker(findings)
            for maker in (declared.forest, gain_map, variants_by_size, by_language, learning_curves, cost)
        ),
    ]
    beside = [
        by_size if by_kind else None,
        *(
            maker(findings)
            for maker in (
                declared.ladders,
                declared.heatmap,
                declared.equivalence,
                declared.rank_intervals,
                components,
                cost_in_operations,
            )
        ),
    ]
    shown = [replace(figure, shown=True) for figure in page if figure is not None]
    return (*shown, *(figure for figure in beside if figure is not None))


def gain_by_kind(findings: Findings) -> Figure | None:
    """Gain against log10 non-embedding parameters for every kind of task pair, one panel per variant."""
    rows = [e for e in findings.effects if e.kind == "gain" and e.backbone and e.pair_kind]
    caption = (
        "Zero-shot gain of the intermediate task in points. Same kind: intermediate task and target have the same "
        "annotation; no target training: the target (retrieval) is evaluated with the intermediate model itself. Bars "
        f"are {level_of(findings)} intervals over new test items and new training runs. Above 0: it helped."
    )
    panels = _gain_panels(findings, rows, "gain-by-kind", "by kind of task pair", lambda e: e.pair_kind)
    return (
        Figure("gain-by-kind", "Gain against backbone size, by kind of task pair", caption, panels) if panels else None
    )


def gain_by_size(findings: Findings) -> Figure | None:
    """Gain against log10 non-embedding parameters: the zero-shot mean and every family, one panel per variant."""
    rows = [e for e in findings.effects if e.kind == "gain" and not e.intermediate and e.backbone and not e.pair_kind]
    rows = [e for e in rows if e.group_kind in ("zero-shot", "family")]
    caption = (
        "Gain of the intermediate task in points, averaged over the (intermediate, target) pairs whose target is "
        f"trained. Bars are {level_of(findings)} intervals over new test items and new training runs. "
        "Above 0: the intermediate task helped."
    )
    panels = _gain_panels(
        findings,
        rows,
        "gain-by-size",
        "by language family",
        lambda e: ALL_ZERO_SHOT if e.group_kind == "zero-shot" else f"family {e.group}",
    )
    return Figure("gain-by-size", "Gain against backbone size, by language family", caption, panels) if panels else None


def _gain_panels(
    findings: Findings, rows: Sequence[Effect], prefix: str, title: str, series_of: Callable[[Effect], str]
) -> tuple[Panel, ...]:
    """One panel per variant with one line per series; all share one range, so that variants can be compared.

    Nothing is drawn of one size: a figure of single points says less than the table.
    """
    sizes = backbone_sizes(findings)
    if len({sizes[e.backbone] for e in rows}) < 2:
        return ()
    names = list(dict.fromkeys(map(series_of, rows)))
    limits = common_limits([value for e in rows for value in (e.low, e.high)])
    panels = []
    for variant in in_order(findings.variants, {e.variant for e in rows}):
        name = f"{prefix}-{file_slug(variant)}"
        with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
            axes = place_axes(canvas)
            axes.axhline(0, color=MUTED, linewidth=1)
            for index, series in enumerate(names):
                effects = [e for e in rows if e.variant == variant and series_of(e) == series]
                effects.sort(key=lambda e: sizes[e.backbone])
                main = series == ALL_ZERO_SHOT
                interval_line(
                    axes,
                    [sizes[e.backbone] * dodge(index, len(names)) for e in effects],
                    effects,
                    label=series,
                    color=INK if main else SERIES[(index - (ALL_ZERO_SHOT in names)) % len(SERIES)],
                    marker=MARKERS[index % len(MARKERS)],
                    thick=main,
                )
            size_axis(axes, findings)
            axes.set_ylim(limits)
            axes.set_ylabel("gain, points")
            axes.set_title(variant)
            place_legend(axes)
            panels.append(finish(canvas, name, f"Gain against parameters with {variant}, {title}"))
    return tuple(panels)


def variants_by_size(findings: Findings) -> Figure | None:
    """Difference of every variant to the first one at each size, then the scores behind it for each target."""
    if len(set(backbone_sizes(findings).values())) < 2:
        return None
    panels = [panel for panel in (_variant_differences(findings), *_target_scores(findings)) if panel is not None]
    if not panels:
        return None
    caption = (
        "First panel: score minus the score of the first variant, both with the same intermediate task, averaged over "
        "the pairs both have, with intervals. Other panels: zero-shot score on each target; solid: mean over "
        "intermediate tasks, dashed: without one; small dots: the single training runs."
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
    sizes = backbone_sizes(findings)
    name = "variant-differences"
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = place_axes(canvas)
        axes.axhline(0, color=MUTED, linewidth=1)
        variants = in_order(findings.variants, {e.variant for e in rows})
        for index, variant in enumerate(variants):
            effects = sorted((e for e in rows if e.variant == variant), key=lambda e: sizes[e.backbone])
            number = findings.variants.index(variant)
            interval_line(
                axes,
                [sizes[e.backbone] * dodge(index, len(variants)) for e in effects],
                effects,
                label=variant,
                color=SERIES[number % len(SERIES)],
                marker=MARKERS[number % len(MARKERS)],
                thick=False,
            )
        size_axis(axes, findings)
        axes.set_ylabel(f"minus {first}, points")
        axes.set_title(f"difference to {first}")
        place_legend(axes)
        return finish(canvas, name, f"Difference of each variant to {first} at each size, with intervals")


def _target_scores(findings: Findings) -> list[Panel]:
    scores = zero_shot_scores(findings)
    sizes = backbone_sizes(findings)
    panels = []
    for target in [facts.name for facts in findings.targets]:
        of_target = [s for s in scores if s.target == target and not s.control and s.backbone in sizes]
        if not of_target:
            continue
        name = f"scores-{file_slug(target)}"
        with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
            axes = place_axes(canvas)
            for variant in in_order(findings.variants, {s.variant for s in of_target}):
                number = findings.variants.index(variant)
                color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
                for with_task in (True, False):
                    chosen = [s for s in of_target if s.variant == variant and (s.intermediate != NONE) == with_task]
                    beside = dodge(1 + 4 * number / len(findings.variants), 1)  # right of the means
                    single_runs(axes, chosen, sizes, shift=beside, color=color)
                    means = mean_by_size(chosen, sizes)
                    axes.plot(
                        list(means),
                        list(means.values()),
                        color=color,
                        marker=marker,
                        linestyle="-" if with_task else (0, (4, 2)),
                        markerfacecolor=color if with_task else "none",
                        label=variant if with_task else None,
                    )
            size_axis(axes, findings)
            axes.set_ylabel("zero-shot score, points")
            axes.set_title(target)
            place_legend(axes)
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
    for variant in in_order(findings.variants, {e.variant for e in rows}):
        effects = {(e.intermediate, e.target, e.backbone): e for e in rows if e.variant == variant}
        pairs = list(dict.fromkeys((intermediate, target) for intermediate, target, _ in effects))
        name = f"gain-map-{file_slug(variant)}"
        height = 0.85 + 0.34 * len(pairs)
        with drawing(name, width_inches=WIDTH, height_inches=height) as canvas:
            names = [f"{intermediate} > {target}" for intermediate, target in pairs]
            left = (0.15 + CHARACTER_INCHES * max(map(len, names))) / WIDTH
            axes = place_axes(canvas, left=min(left, 0.5), bottom=0.5 / height, top=0.3 / height)
            axes.grid(visible=False)
            for row, pair in enumerate(pairs):
                for column, backbone in enumerate(backbones):
                    effect = effects.get((*pair, backbone))
                    if effect is not None:
                        heat_cell(axes, column, row, effect, strongest)
            axes.set_xlim(-0.5, len(backbones) - 0.5)
            axes.set_ylim(len(pairs) - 0.5, -0.5)
            axes.set_xticks(range(len(backbones)), [short_size(findings, backbone) for backbone in backbones])
            axes.set_yticks(range(len(pairs)), names)
            axes.tick_params(length=0)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            axes.set_title(variant)
            panels.append(finish(canvas, name, f"Gain of every intermediate and target pair with {variant}"))
    caption = (
        "Zero-shot gain in points of every (intermediate > target) pair at every size. ** significant after correction "
        "in the family in which it is judged; the others are undecided; those with * hold for these models, and "
        "retraining might change them."
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
    held_against = False
    for facts in findings.targets:
        rows = [
            s
            for s in findings.scores
            if s.target == facts.name and s.group_kind in ("language", "source") and s.intermediate == NONE
        ]
        of_largest = [s for s in rows if s.backbone == largest and not s.control and not s.repeated]
        beside = [s for s in rows if s.control and not s.control.startswith(ORACLE)]
        controls = [s for s in beside if s.backbone in ("", largest, f"{largest}-untrained")]
        if of_largest and not is_development(facts.name) and not supervision_of(facts.name):
            held_against |= bool(controls)
            panels.append(
                _language_panel(findings, facts.name, of_largest, controls, [c for c in order if c in facts.languages])
            )
    if not panels:
        return None
    caption = (
        f"Scores of {largest} without an intermediate task, mean over seeds, in every language (grouped by family, "
        "high resource first)."
    )
    title = "Scores by language"
    if held_against:
        title += ", beside the controls"
        caption += (
            " Grey marks are controls: rules, guesses, and the same training on an untrained twin. A score at their "
            "level shows no transfer."
        )
    return Figure("by-language", title, caption, tuple(panels))


def _language_panel(
    findings: Findings, target: str, of_target: Sequence[Score], controls: Sequence[Score], codes: list[str]
) -> Panel:
    name = f"languages-{file_slug(target)}"
    position = {code: index for index, code in enumerate(codes)}
    with drawing(name, width_inches=WIDTH, height_inches=HEIGHT) as canvas:
        axes = place_axes(canvas)
        for index, control in enumerate(dict.fromkeys(s.control for s in controls)):
            marks = [s for s in controls if s.control == control and s.group in position]
            axes.plot(
                [position[s.group] for s in marks],
                [s.score for s in marks],
                linestyle="none",
                marker=("_", "x", "+", "1", "2", "3")[index % 6],
                color=MUTED,
                markersize=7,
                label=control,
            )
        systems = list(dict.fromkeys((s.variant, s.shown) for s in of_target))
        for index, (variant, shown) in enumerate(systems):
            number = findings.variants.index(variant)
            marks = [s for s in of_target if s.shown == shown and s.group in position]
            shift = 0.16 * (index - (len(systems) - 1) / 2)
            axes.plot(
                [position[s.group] + shift for s in marks],
                [s.score for s in marks],
                linestyle="none",
                marker=MARKERS[number % len(MARKERS)],
                color=SERIES[number % len(SERIES)],
                label=shown,
            )
        axes.set_xticks(range(len(codes)), codes, rotation=90 if len(codes) > 20 else 0)
        axes.set_ylabel("score, points")
        axes.set_ylim(score_limits([s.score for s in (*controls, *of_target) if s.group in position]))
        axes.set_title(target)
        place_legend(axes, below=-0.12, columns=2)
        return finish(canvas, name, f"Scores on {target} by language, with controls")
