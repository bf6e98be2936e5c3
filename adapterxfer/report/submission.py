"""Score a submission folder: official numbers with clustered bootstrap intervals, or two submissions compared.

Points are those of the official script: a task is the plain mean of its languages, question answering the mean of exact
match and F1, groups and the benchmark the mean of their tasks, and only where these are complete. Intervals resample
clusters of test items: premises, contexts, sentences; languages of a parallel test set are drawn together, as they hold
the same items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS, GROUPS, BenchmarkTask
from adapterxfer.metrics.submission import LanguageCounts, count_task, join_clusters
from adapterxfer.metrics.submission_files import read_declaration
from adapterxfer.report.submission_scores import IntervalScore, LanguageScores, SubmissionScores, TaskScores
from adapterxfer.report.submission_texts import LINES, with_equal_texts
from adapterxfer.statistics import adjust
from adapterxfer.statistics.grouped import cluster_sums, domain_clusters, resample_sums, resampled_interval
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.thresholds import BEST_SCORE

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
    subset: Sequence[str] = (),
    allow_missing: bool = False,
    data_root: Path | None = None,
) -> SubmissionScores:
    """Score a folder, or the difference of two folders on the same items.

    Args:
        benchmark: ``xtreme`` or ``xtreme-r``.
        labels: ``labels/TASK/test-LANG.SUFFIX``.
        predictions: the same for the submission.
        against: another submission; then everything is the first minus this one.
        resamples: of the clusters.
        tasks: only these; default: all that both folders have.
        subset: score only these languages; default: those that the submission declares, else all.
        allow_missing: count ids without prediction as wrong instead of refusing.
        data_root: folder with the official test files: items with equal texts are then one cluster.

    Raises:
        DataError: an unknown benchmark or task, or files that are missing, damaged, misaligned or unlabelled.
    """
    if benchmark not in BENCHMARKS:
        raise DataError(f"benchmark '{benchmark}' does not exist", fix=f"use one of: {', '.join(BENCHMARKS)}")
    table = BENCHMARKS[benchmark]
    chosen = _chosen(benchmark, table, labels, predictions, tasks)
    languages = _subsets(table, chosen, predictions, subset)
    scored: dict[str, TaskScores] = {}
    means: dict[str, _Number] = {}
    for name in chosen:
        task = replace(table[name], languages=languages[name])
        folders = [predictions] if against is None else [predictions, against]
        submissions = [count_task(task, labels, folder, allow_missing=allow_missing) for folder in folders]
        if task.by_id:
            submissions = [join_clusters(submission) for submission in submissions]
        if task.reader in LINES:
            known = [read_declaration(folder).get(name) for folder in (labels, predictions)]
            declared = any(declaration is not None and declaration.clusters for declaration in known)
            submissions = with_equal_texts(task, submissions, labels, data_root, declared=declared)
        scores, means[name] = _score_task(task, submissions, resamples, seed, level)
        left_out = tuple(code for code in table[name].languages if code not in languages[name])
        scored[name] = replace(scores, absent=left_out)
    complete = [name for name in chosen if not scored[name].absent]
    tested = against is not None
    groups = {
        group: _score(_mean([means[name] for name in members]), level, tested=tested)
        for group, members in GROUPS[benchmark].items()
        if set(members) <= set(complete)
    }
    overall = _score(_mean(list(means.values())), level, tested=tested) if set(complete) == set(table) else None
    absent = tuple(name for name in table if name not in chosen)
    scores_of_all = SubmissionScores(
        benchmark=benchmark,
        overall=overall,
        groups=groups,
        tasks=scored,
        absent=absent,
        resamples=resamples,
        seed=seed,
        level=level,
        difference=tested,
    )
    return _with_holm(scores_of_all) if tested else scores_of_all


class _Number(NamedTuple):
    """A score with its replicates and how many clusters of test items are behind it."""

    value: float
    draws: Floats
    clusters: int


def _mean(numbers: Sequence[_Number]) -> _Number:
    """Mean of scores on different test items."""
    value = float(np.mean([number.value for number in numbers]))
    return _Number(value, np.mean([number.draws for number in numbers], axis=0), sum(n.clusters for n in numbers))


def _subsets(
    table: Mapping[str, BenchmarkTask], chosen: list[str], predictions: Path, subset: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Languages of every chosen task; tasks without any language of a given subset leave ``chosen``."""
    unknown = [code for code in subset if not any(code in task.languages for task in table.values())]
    if unknown:
        raise DataError(f"language '{unknown[0]}' is in no task of the benchmark", fix="give codes such as en,sw")
    declared = read_declaration(predictions)
    languages: dict[str, tuple[str, ...]] = {}
    for name in list(chosen):
        kept = subset or (declared[name].languages if name in declared else table[name].languages)
        languages[name] = tuple(code for code in table[name].languages if code in kept)
        if not languages[name]:
            chosen.remove(name)
    if not chosen:
        raise DataError(f"{predictions}: no task has a language of the subset", fix="declare languages that are there")
    return languages


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
) -> tuple[TaskScores, _Number]:
    drawn = _draw(task, submissions, resamples, seed)
    tested = len(submissions) == 2
    languages = {}
    for code in task.languages:
        first = submissions[0][code]
        scores = {
            name: _score(_in_language(drawn, code, column, len(set(first.clusters))), level, tested=tested)
            for column, name in enumerate(drawn.names)
        }
        others: dict[str, float] = {}
        if task.token_accuracy:
            rates = [100.0 * float(s[code].counts[:, 3].sum() / s[code].counts[:, 4].sum()) for s in submissions]
            others["token_accuracy"] = rates[0] - rates[1] if tested else rates[0]
        clusters = len(set(first.clusters))
        languages[code] = LanguageScores(scores, others, len(first.counts), clusters, first.missing)
    groups = [set(submissions[0][code].clusters) for code in task.languages]
    clusters = len(set.union(*groups)) if task.parallel else sum(map(len, groups))
    averages, parts = {}, []
    for column, name in enumerate(drawn.names):
        value = float(np.mean([drawn.points[code][column] for code in task.languages]))
        draws = np.mean([drawn.replicates[code][:, column] for code in task.languages], axis=0)
        averages[name] = _score(_Number(value, draws, clusters), level, tested=tested)
        if name in _AVERAGED.get(task.metric, drawn.names):
            parts.append((value, draws))
    average = _Number(
        float(np.mean([value for value, _ in parts])), np.mean([draws for _, draws in parts], axis=0), clusters
    )
    notes = tuple(dict.fromkeys(language.note for language in submissions[0].values() if language.note))
    scores_of_all = _score(average, level, tested=tested)
    return TaskScores(task.protocol, scores_of_all, averages, languages, notes=notes), average


def _in_language(drawn: _Drawn, code: str, column: int, clusters: int) -> _Number:
    return _Number(float(drawn.points[code][column]), drawn.replicates[code][:, column], clusters)


def _draw(task: BenchmarkTask, submissions: list[dict[str, LanguageCounts]], resamples: int, seed: int) -> _Drawn:
    """Points and replicates of every language; submissions share their weights, and so do parallel languages."""
    ratios = _RATIOS[task.metric]
    width = len(next(iter(ratios.values()))[0])
    domains = [task.languages] if task.parallel else [(code,) for code in task.languages]
    points: dict[str, Floats] = {}
    replicates: dict[str, Floats] = {}
    for domain in domains:
        numbers, number = domain_clusters([submission[code].clusters for submission in submissions for code in domain])
        parts = [submission[code].counts[:, :width] for submission in submissions for code in domain]
        sums = np.concatenate(
            [cluster_sums(counts, clusters, number) for counts, clusters in zip(parts, numbers, strict=True)], axis=1
        )
        name = task.name if task.parallel else f"{task.name}/{domain[0]}"
        drawn = resample_sums(sums, resamples=resamples, seed=seed, name=name).reshape(resamples, -1, width)
        full = sums.sum(axis=0).reshape(-1, width)
        for position, code in enumerate(domain):
            points[code], replicates[code] = _points(full[position], ratios), _points(drawn[:, position], ratios)
            if len(submissions) == 2:
                points[code] = points[code] - _points(full[position + len(domain)], ratios)
                replicates[code] = replicates[code] - _points(drawn[:, position + len(domain)], ratios)
    return _Drawn(tuple(ratios), points, replicates)


def _points(sums: Floats, ratios: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> Floats:
    """All scores of sums ``(..., columns)`` in points, shape ``(..., scores)``; 0 where nothing was there to find."""
    columns = []
    for above, below in ratios.values():
        top, bottom = sums @ np.array(above, dtype=float), sums @ np.array(below, dtype=float)
        columns.append(np.where(bottom > 0, 100.0 * top / np.where(bottom > 0, bottom, 1.0), 0.0))
    return np.stack(columns, axis=-1)


def _score(number: _Number, level: float, *, tested: bool) -> IntervalScore:
    reach = Bounds(-BEST_SCORE if tested else 0.0, BEST_SCORE)
    low, high, p = resampled_interval(number.value, number.draws, number.clusters, reach=reach, level=level)
    return IntervalScore(number.value, low, high, p if tested else None)


def _with_holm(scores: SubmissionScores) -> SubmissionScores:
    """Adjust the p-values of the task averages for their number."""
    known = {name: p for name, task in scores.tasks.items() if (p := task.average.p) is not None}
    adjusted = dict(zip(known, adjust(list(known.values()), "holm").tolist(), strict=True))
    tasks = {
        name: replace(task, average=replace(task.average, p_holm=adjusted.get(name)))
        for name, task in scores.tasks.items()
    }
    return replace(scores, tasks=tasks)
