"""Figures of declared hypotheses and of what a study can find: ladders, margins, ranks, languages, components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adapterxfer.report.content import Effect, Findings
from adapterxfer.report.declared import Judged
from adapterxfer.report.display import resource_key
from adapterxfer.report.panels import (
    CHARACTER_INCHES,
    ROW_INCHES,
    WIDTH,
    file_slug,
    heat_cell,
    in_order,
    interval_bar,
    level_of,
    place_axes,
    place_legend,
    row_panel,
)
from adapterxfer.report.svg import GRID, INK, MARKERS, MUTED, SERIES, Figure, Panel, drawing, finish
from adapterxfer.report.words import level_text

LADDER_LIMIT = 6
"""Panels of ladders; more are read in the table."""

SCOPE_NAMES = {
    "items": "items",
    "items+runs": "+ runs",
    "languages": "+ languages",
    "backbones": "+ backbones",
}


def ladders(findings: Findings) -> Figure | None:
    """One number in four scopes of inference, one panel per question."""
    declared = [
        test for test in findings.tests if test.rungs and test.family == "primary" and test.estimate is not None
    ]
    chosen = (declared or list(findings.ladders))[:LADDER_LIMIT]
    panels = tuple(_ladder(findings, test) for test in chosen)
    caption = (
        "The same number with four intervals: for new test items; for new training runs too; for other languages of "
        "the same kind (from the spread between languages and what they share); for other backbones (from the scatter "
        "about the line). A scope without a bar cannot be had; the table says why. "
        f"{level_of(findings)} intervals."
    )
    return Figure("ladder", "How far each result reaches", caption, panels) if panels else None


def _ladder(findings: Findings, test: Judged) -> Panel:
    title = test.name if test.hypothesis and test in findings.tests else test.text
    name = f"ladder-{file_slug(title)}"
    rows = [(SCOPE_NAMES[rung.scope], rung.estimate, rung.low, rung.high) for rung in test.rungs]

    def paint(axes: Any) -> None:
        for position, (_, value, low, high) in enumerate(rows):
            if value is None or low is None or high is None:
                axes.plot([0], [position], alpha=0)
                continue
            interval_bar(axes, position, value, low=low, high=high, color=SERIES[0], marker="o")

    alt = f"Intervals of {title} in four scopes of inference"
    return row_panel(name, title, [row[0] for row in rows], f"{test.unit}", alt, paint)


def equivalence(findings: Findings) -> Figure | None:
    """Tests with a margin: the interval of the two one-sided tests beside the margin band."""
    tests = [test for test in findings.tests if test.margin is not None and test.margin_low is not None]
    panels = []
    for hypothesis in dict.fromkeys(test.hypothesis for test in tests):
        of_hypothesis = [test for test in tests if test.hypothesis == hypothesis]
        panels.append(_margin_panel(hypothesis, of_hypothesis))
    inner = 2 * findings.settings["level"] - 1
    caption = (
        f"Shaded: the declared margin. Thick: the {level_text(inner)} interval of the two one-sided tests; inside the "
        f"band means equivalent, right of its left edge not worse. Thin: the {level_of(findings)} interval. "
        "Before adjustment within the family."
    )
    return Figure("equivalence", "Differences against the declared margin", caption, tuple(panels)) if panels else None


def _margin_panel(hypothesis: str, tests: Sequence[Judged]) -> Panel:
    margin = tests[0].margin
    assert margin is not None

    def paint(axes: Any) -> None:
        axes.axvspan(-margin, margin, color=GRID, zorder=0)
        for position, test in enumerate(tests):
            assert test.estimate is not None
            assert test.low is not None
            assert test.high is not None
            assert test.margin_low is not None
            assert test.margin_high is not None
            axes.plot([test.low, test.high], [position, position], color=SERIES[0], linewidth=1)
            axes.plot([test.margin_low, test.margin_high], [position, position], color=SERIES[0], linewidth=3.2)
            axes.plot([test.estimate], [position], marker="D", color=INK, markersize=5)

    labels = [test.subject or test.hypothesis for test in tests]
    title = f"{hypothesis}: margin {margin:g}"
    return row_panel(f"equivalence-{file_slug(hypothesis)}", title, labels, tests[0].unit, f"{title}, intervals", paint)


def rank_intervals(findings: Findings) -> Figure | None:
    """Which intermediate task may be the best, one panel per variant."""
    panels = []
    for variant in in_order(findings.variants, {row.variant for row in findings.ranks}):
        of_variant = [row for row in findings.ranks if row.variant == variant]

        def paint(axes: Any, of_variant: list[Any] = of_variant) -> None:
            for position, row in enumerate(of_variant):
                color = SERIES[2] if row.may_be_best else MUTED
                axes.plot([row.low, row.high], [position, position], color=color, linewidth=3, solid_capstyle="butt")
                axes.plot([row.rank], [position], marker="o", color=color, markersize=7)
            axes.set_xticks(range(1, len(of_variant) + 1))
            axes.set_xlim(0.5, len(of_variant) + 0.5)

        labels = [row.intermediate for row in of_variant]
        alt = f"Rank intervals of intermediate tasks with {variant}"
        panels.append(
            row_panel(f"ranks-{file_slug(variant)}", variant, labels, "rank, 1 is best", alt, paint, zero=False)
        )
    caption = (
        "Dot: rank by mean zero-shot score over the cells that all have. Bar: ranks that cannot be excluded, for all "
        f"together with {level_of(findings)} confidence, over new test items with the trained models held "
        "fixed. Green: may be the best."
    )
    return Figure("ranks", "Which intermediate task is the best?", caption, tuple(panels)) if panels else None


def forest(findings: Findings) -> Figure | None:
    """Gain in every language, grouped by family and then from high to low resource."""
    rows = [e for e in findings.effects if e.hypotheses == "gain by language"]
    facts = {row["code"]: row for row in findings.languages}
    panels = []
    for variant in in_order(findings.variants, {e.variant for e in rows}):
        of_variant = [e for e in rows if e.variant == variant]
        of_variant.sort(key=lambda e: (facts[e.group]["family"], resource_key(facts[e.group]["resource"]), e.group))
        panels.append(_forest_panel(findings, variant, of_variant, facts))
    caption = (
        "Mean gain in points over sizes and over the pairs with a trained target that the language has; "
        f"{level_of(findings)} intervals over new test items and new training runs, not adjusted for the "
        "number of languages. Colours: families; open marks: low resource."
    )
    return Figure("forest", "Gain by language", caption, tuple(panels)) if panels else None


def _forest_panel(findings: Findings, variant: str, effects: list[Effect], facts: dict[str, dict[str, str]]) -> Panel:
    families = list(dict.fromkeys(row["family"] for row in findings.languages))

    def paint(axes: Any) -> None:
        seen: set[str] = set()
        for position, effect in enumerate(effects):
            family, low = facts[effect.group]["family"], facts[effect.group]["resource"] == "low"
            number = families.index(family)
            color = SERIES[number % len(SERIES)]
            label = None if family in seen else family
            seen.add(family)
            marker = MARKERS[number % len(MARKERS)]
            interval_bar(
                axes,
                position,
                effect.estimate,
                low=effect.low,
                high=effect.high,
                color=color,
                marker=marker,
                hollow=low,
            )
            if label:
                axes.plot([], [], color=color, marker=marker, linestyle="none", label=label)
        place_legend(axes, below=-0.62 / (ROW_INCHES * len(effects) + 0.4), columns=3)

    labels = [f"{facts[e.group]['name']} ({e.group})" for e in effects]
    alt = f"Gain in every language with {variant}"
    return row_panel(
        f"forest-{file_slug(variant)}", variant, labels, "gain, points", alt, paint,
        below=0.68 + 0.22 * math.ceil(len(families) / 3),
    )  # fmt: skip


def heatmap(findings: Findings) -> Figure | None:
    """Gain of every intermediate task on every target at the largest size, one panel per variant."""
    rows = [e for e in findings.effects if e.hypotheses == "gain of each cell"]
    trained = [facts.name for facts in findings.backbones if not facts.untrained]
    if not rows or not trained:
        return None
    largest = next((name for name in reversed(trained) if any(e.backbone == name for e in rows)), "")
    rows = [e for e in rows if e.backbone == largest]
    strongest = max(max(abs(e.estimate) for e in rows), 1.0)
    targets = in_order([facts.name for facts in findings.targets], {e.target for e in rows})
    panels = []
    for variant in in_order(findings.variants, {e.variant for e in rows}):
        effects = {(e.intermediate, e.target): e for e in rows if e.variant == variant}
        tasks = in_order(findings.intermediates, {task for task, _ in effects})
        panels.append(_heat_panel(variant, tasks, targets, effects, strongest))
    caption = (
        f"Zero-shot gain in points at {largest}. Tinted (**): significant after correction in its family. Hollow: "
        "undecided (the smallest effects we would find are in tables/all-effects.csv); those with * hold for these "
        "models, and retraining might change them."
    )
    return Figure("heatmap", "Which intermediate task helps which target?", caption, tuple(panels))


def _heat_panel(
    variant: str, tasks: list[str], targets: list[str], effects: dict[tuple[str, str], Effect], strongest: float
) -> Panel:
    name = f"heatmap-{file_slug(variant)}"
    longest = max(map(len, tasks))
    slanted = max(map(len, targets)) * CHARACTER_INCHES > (WIDTH - 1.2) / max(len(targets), 1)
    below = 0.3 + (CHARACTER_INCHES * max(map(len, targets)) if slanted else 0.0)
    height = 0.35 + 0.34 * len(tasks) + below
    with drawing(name, width_inches=WIDTH, height_inches=height) as canvas:
        left = min((0.15 + CHARACTER_INCHES * longest) / WIDTH, 0.5)
        axes = place_axes(canvas, left=left, bottom=below / height, top=0.3 / height)
        axes.grid(visible=False)
        for row, task in enumerate(tasks):
            for column, target in enumerate(targets):
                effect = effects.get((task, target))
                if effect is not None:
                    hollow = effect.verdict != "difference found"
                    heat_cell(axes, column, row, effect, strongest, hollow=hollow)
        axes.set_xlim(-0.5, len(targets) - 0.5)
        axes.set_ylim(len(tasks) - 0.5, -0.5)
        axes.set_xticks(range(len(targets)), targets, rotation=90 if slanted else 0)
        axes.set_yticks(range(len(tasks)), tasks)
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.set_title(variant)
        return finish(canvas, name, f"Gain of every intermediate task on every target with {variant}")
