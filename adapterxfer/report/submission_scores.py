"""What the score of a submission consists of: points with intervals per language, task, group and benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntervalScore:
    """Points with an interval; ``p`` is of "no difference" and only there for differences."""

    value: float
    low: float
    high: float
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class LanguageScores:
    """One language of one task; ``others`` are points without interval (token accuracy)."""

    scores: Mapping[str, IntervalScore]
    others: Mapping[str, float]
    examples: int
    clusters: int
    missing: int


@dataclass(frozen=True, slots=True)
class TaskScores:
    """One task: its average over languages, each language, and the averages of its single scores.

    ``absent`` are languages of the benchmark that a declared subset leaves out; its average is not the benchmark's.
    """

    protocol: str
    average: IntervalScore
    averages: Mapping[str, IntervalScore]
    languages: Mapping[str, LanguageScores]
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionScores:
    """A submission, or the difference of two (first minus second).

    Attributes:
        overall: mean of all tasks of the benchmark; None where tasks or languages are absent.
        groups: means of the groups of tasks that are complete, as the official script defines them.
        tasks: scored tasks.
        absent: tasks of the benchmark that were not scored.
    """

    benchmark: str
    overall: IntervalScore | None
    groups: Mapping[str, IntervalScore]
    tasks: Mapping[str, TaskScores]
    absent: tuple[str, ...]
    resamples: int
    seed: int
    level: float
    difference: bool = False
