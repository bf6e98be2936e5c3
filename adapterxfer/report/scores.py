"""Scores of every system and control, for every group of languages: means and standard deviations over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from adapterxfer.catalog import oracle_without
from adapterxfer.recipe.axes import Axes
from adapterxfer.report.content import Score
from adapterxfer.report.display import NONE
from adapterxfer.report.study import Study
from adapterxfer.statistics import ScoreCell, System


def scores(study: Study) -> Iterator[Score]:
    """Mean and standard deviation over seeds of every system and control, for every group of languages."""
    seen: set[tuple[System, str]] = set()
    for (backbone, arm, intermediate, target), system in study.systems.items():
        repeated = (system, target) in seen
        seen.add((system, target))
        axes = Axes(backbone=backbone, variant=arm, intermediate=intermediate, target=target)
        shown = study.shown[system, target]
        yield from _system_scores(study, system, axes, shown=shown, repeated=repeated)
    for (label, backbone, target), system in study.controls.items():
        axes = Axes(backbone=backbone, intermediate=NONE, target=target)
        yield from _system_scores(study, system, axes, shown=label, control=label)


def _system_scores(
    study: Study, system: System, axes: Axes, *, shown: str, control: str = "", repeated: bool = False
) -> Iterator[Score]:
    without = set(oracle_without(control))
    for group in study.groups[axes.target]:
        if without & set(group.languages):
            continue  # a mean over some of its languages would pass for one over all
        by_run: dict[int, list[float]] = {}
        for language in group.languages:
            rows = study.table.cells[ScoreCell(system, axes.target, language)]
            for run, row in enumerate(rows):
                by_run.setdefault(run, []).append(float(study.table.scores[row]))
        means = [statistics.fmean(values) for values in by_run.values()]
        yield Score(
            **axes.values(),
            control=control,
            shown=shown,
            repeated=repeated,
            group_kind=group.kind,
            group=group.name,
            score=statistics.fmean(means),
            standard_deviation=statistics.stdev(means) if len(means) > 1 else None,
            runs=tuple(means),
            seeds=len(means),
            languages=len(group.languages),
        )
