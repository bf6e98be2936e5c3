"""The forest plot of a meta-analysis: every study with its interval, the pooled effect as a diamond. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adapterxfer.hub.meta import MetaEffect
from adapterxfer.hub.meta_words import subject
from adapterxfer.report.display import signed
from adapterxfer.report.svg import INK, MUTED, SERIES, Panel, drawing, finish

ROW_INCHES = 0.28
CHARACTER_INCHES = 0.075
"""Width of an average letter at the size of the labels; generous, so that none is cut."""
NUMBERS_INCHES = 1.7
"""Width of ``-100.0 (-100.0 to -100.0)`` beside the axes."""


def draw_forest(effects: Sequence[MetaEffect]) -> Panel:
    """All results below each other in one drawing, on one axis."""
    rows: list[tuple[str, MetaEffect, int | None]] = []  # label, result, study or None for the headline and the mean
    for effect in effects:
        rows.append((subject(effect), effect, None))
        rows += [(f"{study.label} ({len(study.seeds)})", effect, k) for k, study in enumerate(effect.studies)]
        rows += [("pooled", effect, -1)] if effect.pooled is not None else []
    left = 0.3 + CHARACTER_INCHES * max(len(label) for label, _, number in rows if number is not None)
    width, tall = left + 4.3 + NUMBERS_INCHES, 0.75 + ROW_INCHES * len(rows)
    with drawing("forest", width_inches=width, height_inches=tall) as canvas:
        axes = canvas.add_axes((left / width, 0.5 / tall, 4.2 / width, 1.0 - 0.65 / tall))
        axes.axvline(0, color=MUTED, linewidth=1)
        heights = range(len(rows), 0, -1)
        for height, (label, effect, number) in zip(heights, rows, strict=True):
            if number is None:
                axes.text(0.0, height, label, transform=axes.get_yaxis_transform(), va="center", fontweight="bold")
                continue
            if number >= 0:
                study = effect.studies[number]
                value, low, high = study.estimate, study.low, study.high
                share = study.weight if math.isfinite(study.weight) else 0.5
                axes.plot([low, high], [height, height], color=SERIES[0], linewidth=1.2)
                axes.plot([value], [height], marker="s", linestyle="none", color=SERIES[0], markersize=4 + 6 * share)
            else:
                assert effect.pooled is not None
                pooled = effect.pooled
                value, low, high = pooled.estimate, pooled.low, pooled.high
                if math.isfinite(pooled.prediction_low):
                    ahead = [pooled.prediction_low, pooled.prediction_high]
                    axes.plot(ahead, [height, height], color=MUTED, linewidth=1.0, linestyle="--")
                axes.fill([low, value, high, value], [height, height + 0.3, height, height - 0.3], color=SERIES[1])
            text = f"{signed(value)} ({signed(low)} to {signed(high)})" if math.isfinite(low) else signed(value)
            axes.text(1.02, height, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK)
        axes.set_yticks(list(heights), [label if number is not None else "" for label, _, number in rows])
        axes.set_ylim(0.3, len(rows) + 0.8)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{effects[0].quantity}, points")
        return finish(
            canvas, "forest", f"Forest plot: {effects[0].quantity} of {len(effects)} effects in several studies"
        )
