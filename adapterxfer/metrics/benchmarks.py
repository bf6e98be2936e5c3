"""What a submission to XTREME or XTREME-R holds: tasks, languages, file endings, metrics and clusters.

The facts stand with each task in the catalogue (`adapterxfer.catalog.InBenchmark`).

Source: google-research/xtreme evaluate.py at commit 838c13b. Its list of LAReQA languages is empty; here LAReQA is
scored in the languages of its data and averaged like all others, but it is in none of the groups, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapterxfer.catalog import InBenchmark, task_specs

Reader = Literal["labels", "tags", "answers", "ranked", "choices", "pairs"]
Cluster = Literal["line", "premise", "context", "query"]

PREMISE_LINES = 3
"""Hypotheses of one premise, which stand in consecutive lines of XNLI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTask:
    """One task of a benchmark.

    Attributes:
        suffix: ending of its files, ``test-LANGUAGE.suffix``.
        reader: how label and prediction files look.
        metric: name in `adapterxfer.metrics.METRICS`.
        protocol: what exactly is computed.
        languages: all must be present.
        parallel: whether line or id means the same example in every language, so languages are resampled together.
        cluster: what is resampled.
        values: allowed labels; empty where any text is.
        by_id: clusters are joined over languages by the ids of their questions.
        token_accuracy: accuracy of tags is shown beside the score.
        indices: predictions are places in the pool, of a search with this part in its protocol; empty for all others.
    """

    name: str
    suffix: str
    reader: Reader
    metric: str
    protocol: str
    languages: tuple[str, ...]
    parallel: bool
    cluster: Cluster
    values: tuple[str, ...] = ()
    by_id: bool = False
    token_accuracy: bool = False
    indices: str = ""


def _tasks(*, revised: bool) -> dict[str, BenchmarkTask]:
    """Tasks in the order of the benchmark's own tables."""
    members = [(name, spec.benchmark) for name, spec in task_specs().items() if spec.benchmark is not None]
    table = {}
    for name, member in sorted(members, key=lambda named: named[1].column):
        if languages := member.revised if revised else member.xtreme:
            table[name] = _task(name, member, languages)
    return table


def _task(name: str, member: InBenchmark, languages: tuple[str, ...]) -> BenchmarkTask:
    return BenchmarkTask(
        name=name,
        suffix=member.suffix,
        reader=member.reader,
        metric=member.metric,
        protocol=member.protocol,
        languages=languages,
        parallel=member.parallel,
        cluster=member.cluster,
        values=member.values,
        by_id=member.by_id,
        token_accuracy=member.token_accuracy,
        indices=member.indices,
    )


BENCHMARKS: Mapping[str, Mapping[str, BenchmarkTask]] = {
    "xtreme": _tasks(revised=False),
    "xtreme-r": _tasks(revised=True),
}
"""Benchmark -> task -> what its files hold."""

_GROUPS = ("classification", "tagging", "qa", "retrieval", "multi_choice")


def _groups(*, revised: bool) -> dict[str, tuple[str, ...]]:
    members = {name: spec.benchmark for name, spec in task_specs().items() if spec.benchmark is not None}
    groups = {
        group: tuple(
            name
            for name in _tasks(revised=revised)
            if group in (members[name].revised_groups if revised else members[name].xtreme_groups)
        )
        for group in _GROUPS
    }
    return {group: names for group, names in groups.items() if names}


GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "xtreme": _groups(revised=False),
    "xtreme-r": _groups(revised=True),
}
"""Benchmark -> group -> its tasks; a group's score is the plain mean of its tasks and exists where all are complete."""
