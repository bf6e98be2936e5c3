"""Training runs whose scores are far from those of the other seeds: mostly trainings that did not learn."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from adapterxfer.report.display import NONE
from adapterxfer.report.study import Study
from adapterxfer.statistics import ScoreCell, System

FAR = 10.0
"""Points from the median of a system's runs; runs of one system mostly lie within 3 of each other."""

TIMES = 5.0
"""How many times as far as the other runs, in their median; where all runs are apart, none is far from the others."""

LEAST = 3
"""Runs of a system among which one can be told from the others."""

Run = int | str | None
"""Seed of a run, as in `statistics.RunScore`."""


class FarRun(NamedTuple):
    """One training run of a system on one target.

    Attributes:
        system: backbone, arm and intermediate task, in words.
        seed: of the run.
        score: its zero-shot mean in points.
        median: of all runs of the system.
    """

    system: str
    target: str
    seed: Run
    score: float
    median: float

    def __str__(self) -> str:
        return f"{self.system} on {self.target}, seed {self.seed} ({self.score:.1f}, median {self.median:.1f})"


def far_runs(study: Study) -> Iterator[FarRun]:
    """Runs of trained systems whose zero-shot mean is far from that of the others, in the order of the study."""
    seen: set[tuple[System, str]] = set()
    for (backbone, _, intermediate, target), system in study.systems.items():
        if (system, target) in seen:
            continue
        seen.add((system, target))
        shown = study.shown[system, target]
        name = f"{shown} {backbone}" if intermediate == NONE else f"{shown} {backbone} after {intermediate}"
        means = _zero_shot_means(study, system, target)
        if len(means) < LEAST:
            continue
        median = statistics.median(means.values())
        for seed, score in means.items():
            others = [abs(other - median) for number, other in means.items() if number != seed]
            if abs(score - median) >= max(FAR, TIMES * statistics.median(others)):
                yield FarRun(name, target, seed, score, median)


def _zero_shot_means(study: Study, system: System, target: str) -> dict[Run, float]:
    """Seed -> mean over all languages without labelled data."""
    by_seed: dict[Run, list[float]] = {}
    for group in study.groups[target]:
        if group.kind != "zero-shot":
            continue
        for language in group.languages:
            for row in study.table.cells[ScoreCell(system, target, language)]:
                by_seed.setdefault(study.table.rows[row].seed, []).append(float(study.table.scores[row]))
    return {seed: statistics.fmean(values) for seed, values in by_seed.items()}
