"""Score a submission folder: official numbers with clustered bootstrap intervals, or two submissions compared.

Points are those of the official script: a task is the plain mean of its languages, question answering the mean of exact
match and F1, the benchmark the mean of its tasks. Intervals resample clusters of test items: premises, contexts,
sentences; languages of a parallel test set are drawn together, as they hold the same items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS, BenchmarkTask
from adapterxfer.metrics.submission import LanguageCounts, count_task, join_clusters
from adapterxfer.statistics import adjust
from adapterxfer.statistics.grouped import cluster_sums, domain_clusters, resample_sums
from adapterxfer.statistics.intervals import interval, shift_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEW_CLUSTERS = 40
"""Clusters below which a bootstrap interval is too narrow to be trusted."""

_RATIOS: dict[str, dict[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "accuracy": {"accuracy": ((1, 0), (0, 1))},
    "chunk_f1": {"f1": ((2, 0, 0), (0, 1, 1)), "precision": ((1, 0, 0), (0, 1, 0)), "recall": ((1, 0, 0), (0, 0, 1))},
    "mining_f1": {"f1": ((2, 0, 0), (0, 1, 1)), "precision": ((1, 0, 0), (0, 1, 0)), "recall": ((1, 0, 0), (0, 0, 1))},
    "qa_f1": {"exact_match": ((0, 1, 0), (0, 0, 1)), "f1": ((1, 0, 0), (0, 0, 1))},
    "mlqa_f1": {"exact_match": ((0, 1, 0), (0, 0, 1)), "f1": ((1, 0, 0), (0, 0, 1))},
    "map_at_20": {"map@20": ((1, 0), (0, 1))},
}
"""Metric -> official score -> (weights above, weights below the line) of summed counts, in points of 100."""

_AVERAGED = {"chunk_f1": ("f1",), "mining_f1": ("f1",)}
"""Scores whose mean is the task's; all of the metric where it is not listed."""


@dataclass(frozen=True, slots=True)
class Score:
    """Points with an interval; ``p`` is of "no difference" and only there for differences."""

    value: float
    low: float
    high: float
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class LanguageScores:
    """One language of one task; ``others`` are points without interval (token accuracy)."""

    scores: Mapping[str, Score]
    others: Mapping[str, float]
    examples: int
    clusters: int
    missing: int


@dataclass(frozen=True, slots=True)
class TaskScores:
    """One task: its average over languages, each language, and the averages of its single scores."""

    protocol: str
    average: Score
    averages: Mapping[str, Score]
    languages: Mapping[str, LanguageScores]


@dataclass(frozen=True, slots=True)
class SubmissionScores:
    """A submission, or the difference of two (first minus second).

    Attributes:
        overall: mean of all tasks of the benchmark; None where tasks are absent.
        tasks: scored tasks.
        absent: tasks of the benchmark that were not scored.
    """

    benchmark: str
    overall: Score | None
    tasks: Mapping[str, TaskScores]
    absent: tuple[str, ...]
    resamples: int
    seed: int
    level: float
    difference: bool = False


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Points on the full data (last axis absent) and in every replicate; names of the scores."""

    names: tuple[str, ...]
    points: dict[str, Floats]  # language -> (scores,)
    replicates: dict[str, Floats]  # language -> (resamples, scores)


def score_submission(
    benchmark: str,
    labels: Path,
    predictions: Path,
    *,
    against: Path | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    tasks: Sequence[str] = (),
    allow_missing: bool = False,
) -> SubmissionScores:
    """Score a folder, or the difference of two folders on the same items.

    Args:
        benchmark: ``xtreme`` or ``xtreme-r``.
        labels: ``labels/TASK/test-LANG.SUFFIX``.
        predictions: the same for the submission.
        against: another submission; then everything is the first minus this one.
        resamples: of the clusters.
        tasks: only these; default: all that both folders have.
        allow_missing: count ids without prediction as wrong instead of refusing.

    Raises:
        DataError: an unknown benchmark or task, or files that are missing, damaged, misaligned or unlabelled.
    """
    if benchmark not in BENCHMARKS:
        raise DataError(f"benchmark '{benchmark}' does not exist", fix=f"use one of: {', '.join(BENCHMARKS)}")
    table = BENCHMARKS[benchmark]
    chosen = _chosen(benchmark, table, labels, predictions, tasks)
    scored: dict[str, TaskScores] = {}
    means: list[tuple[float, Floats]] = []
    for name in chosen:
        task = table[name]
        submissions = [count_task(task, labels, predictions, allow_missing=allow_missing)]
        if against is not None:
            submissions.append(count_task(task, labels, against, allow_missing=allow_missing))
        if task.by_id:
            submissions = [join_clusters(part) for part in submissions]
        scored[name], point, draws = _score_task(task, submissions, resamples, seed, level)
        means.append((point, draws))
    complete = set(chosen) == set(table)
    overall = None
    if complete:
        value = float(np.mean([point for point, _ in means]))
        overall = _score(value, np.mean([draws for _, draws in means], axis=0), level, against is not None)
    absent = tuple(name for name in table if name not in chosen)
    found = SubmissionScores(benchmark, overall, scored, absent, resamples, seed, level, against is not None)
    return _with_holm(found) if against is not None else found


def _chosen(
    benchmark: str, table: Mapping[str, BenchmarkTask], labels: Path, predictions: Path, tasks: Sequence[str]
) -> list[str]:
    for folder in (labels, predictions):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder", fix="give a folder with one folder per task")
    unknown = [name for name in tasks if name not in table]
    if unknown:
        raise DataError(f"task '{unknown[0]}' is not in {benchmark}", fix=f"it has: {', '.join(table)}")
    submitted = [name for name in table if (predictions / name).is_dir() and (not tasks or name in tasks)]
    submitted += [name for name in tasks if name not in submitted]
    unlabelled = [name for name in submitted if not (labels / name).is_dir()]
    if unlabelled:
        raise DataError(
            f"{predictions / unlabelled[0]}: {labels} has no labels for it",
            fix="add the labels, or choose tasks with --task",
        )
    if not submitted:
        raise DataError(f"{predictions}: no folder of a task of {benchmark}", fix=f"expected {', '.join(table)}")
    return submitted


def _score_task(
    task: BenchmarkTask, submissions: list[dict[str, LanguageCounts]], resamples: int, seed: int, level: float
) -> tuple[TaskScores, float, Floats]:
    drawn = _draw(task, submissions, resamples, seed)
    tested = len(submissions) == 2
    languages = {}
    for code in task.languages:
        first = submissions[0][code]
        scores = {
            name: _score(float(drawn.points[code][column]), drawn.replicates[code][:, column], level, tested)
            for column, name in enumerate(drawn.names)
        }
        others: dict[str, float] = {}
        if task.token_accuracy:
            rates = [100.0 * float(s[code].counts[:, 3].sum() / s[code].counts[:, 4].sum()) for s in submissions]
            others["token_accuracy"] = rates[0] - rates[1] if tested else rates[0]
        clusters = len(set(first.clusters))
        languages[code] = LanguageScores(scores, others, len(first.counts), clusters, first.missing)
    averages, parts = {}, []
    for column, name in enumerate(drawn.names):
        value = float(np.mean([drawn.points[code][column] for code in task.languages]))
        draws = np.mean([drawn.replicates[code][:, column] for code in task.languages], axis=0)
        averages[name] = _score(value, draws, level, tested)
        if name in _AVERAGED.get(task.metric, drawn.names):
            parts.append((value, draws))
    point = float(np.mean([value for value, _ in parts]))
    draws = np.mean([draws for _, draws in parts], axis=0)
    return TaskScores(task.protocol, _score(point, draws, level, tested), averages, languages), point, draws


def _draw(task: BenchmarkTask, submissions: list[dict[str, LanguageCounts]], resamples: int, seed: int) -> _Drawn:
    """Points and replicates of every language; submissions share their weights, and so do parallel languages."""
    ratios = _RATIOS[task.metric]
    width = len(next(iter(ratios.values()))[0])
    domains = [task.languages] if task.parallel else [(code,) for code in task.languages]
    points: dict[str, Floats] = {}
    replicates: dict[str, Floats] = {}
    for domain in domains:
        numbers, number = domain_clusters([entry[code].clusters for entry in submissions for code in domain])
        parts = [entry[code].counts[:, :width] for entry in submissions for code in domain]
        sums = np.concatenate(
            [cluster_sums(part, own, number) for part, own in zip(parts, numbers, strict=True)], axis=1
        )
        name = task.name if task.parallel else f"{task.name}/{domain[0]}"
        drawn = resample_sums(sums, resamples=resamples, seed=seed, name=name).reshape(resamples, -1, width)
        full = sums.sum(axis=0).reshape(-1, width)
        for place, code in enumerate(domain):
            points[code], replicates[code] = _points(full[place], ratios), _points(drawn[:, place], ratios)
            if len(submissions) == 2:
                points[code] = points[code] - _points(full[place + len(domain)], ratios)
                replicates[code] = replicates[code] - _points(drawn[:, place + len(domain)], ratios)
    return _Drawn(tuple(ratios), points, replicates)


def _points(sums: Floats, ratios: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> Floats:
    """All scores of sums ``(..., columns)`` in points, shape ``(..., scores)``; 0 where nothing was there to find."""
    columns = []
    for above, below in ratios.values():
        top, bottom = sums @ np.array(above, dtype=float), sums @ np.array(below, dtype=float)
        columns.append(np.where(bottom > 0, 100.0 * top / np.where(bottom > 0, bottom, 1.0), 0.0))
    return np.stack(columns, axis=-1)


def _score(value: float, draws: Floats, level: float, tested: bool) -> Score:
    bounds = interval(draws, value, kind="symmetric", level=level)
    low, high = bounds.low, bounds.high
    if not tested:
        low, high = max(low, 0.0), min(high, 100.0)
    return Score(value, low, high, shift_p(draws, value) if tested else None)


def _with_holm(found: SubmissionScores) -> SubmissionScores:
    """Adjust the p-values of the task averages for their number."""
    from dataclasses import replace

    names = list(found.tasks)
    values = adjust([found.tasks[name].average.p or 0.0 for name in names], "holm")
    tasks = {
        name: replace(found.tasks[name], average=replace(found.tasks[name].average, p_holm=float(value)))
        for name, value in zip(names, values, strict=True)
    }
    return replace(found, tasks=tasks)
