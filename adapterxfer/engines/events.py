"""What an engine tells its listener while a plan runs, and what it returns at the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from adapterxfer.store.failures import Failure
from adapterxfer.store.keys import Stage

EventKind = Literal["reused", "started", "progress", "tight", "waiting", "retried", "finished", "failed", "blocked"]


@dataclass(frozen=True, slots=True)
class StageEvent:
    """One thing that happened to one stage.

    Attributes:
        kind: `reused` (found in the store, or made by another run meanwhile), `started`, `progress` (``detail`` is the
            logged line: ``step``, ``steps``, ``loss``...), `tight` (it may need more memory than there is and runs
            alone: ``needed_gb``, ``free_gb``), `waiting` (another run is making it), `retried` (its worker
            died; ``attempt``, ``cause``), `finished`, `failed` (``error``, ``what``, ``fix``), `blocked` (``by``: the
            key of the failed stage).
        stage: the stage.
        worker: number of the worker from 0, or -1 where none is involved.
        seconds: wall time of the stage where it ended.
        detail: what the kind says above.
    """

    kind: EventKind
    stage: Stage
    worker: int = -1
    seconds: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[StageEvent], None]


def describe(stage: Stage) -> str:
    """``train_target world-nano stack nli>xnli seed 1``: a stage in the words of the study."""
    labels = stage.labels
    parts = [stage.kind]
    parts += [str(labels[key]) for key in ("backbone", "variant", "control") if labels.get(key)]
    tasks = [str(labels[key]) for key in ("intermediate", "target") if labels.get(key) and labels[key] != "none"]
    parts += [">".join(tasks)] if tasks else []
    parts += ["above language"] if str(labels.get("adapter", "")).endswith("+language") else []
    parts += [str(labels["language"])] if labels.get("language") else []
    parts += [str(labels[key]) for key in ("task", "recipe") if labels.get(key)]
    parts += [f"seed {labels['seed']}"] if labels.get("variant") not in (None, "control") and labels.get("seed") else []
    parts += [f"with {labels['candidate']}"] if labels.get("candidate") else []
    return " ".join(parts)


def silent(_event: StageEvent) -> None:
    """A listener that does nothing."""


class PlanLike(Protocol):
    """What an engine needs of a plan: its stages by key, every stage after its inputs."""

    @property
    def stages(self) -> Mapping[str, Stage]:
        """Key -> stage in topological order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended; keys are full stage keys.

    Attributes:
        finished: stages made by this run, in the order they ended.
        reused: stages found in the store, or made by another run meanwhile.
        failed: stages without a result, with the reason.
        blocked: stages not tried -> the failed stage that blocks them.
        folders: key -> committed folder of every stage that has a result.
        interrupted: the signal that ended the run early, or 0.
        seconds: wall time.
    """

    finished: tuple[str, ...]
    reused: tuple[str, ...]
    failed: Mapping[str, Failure]
    blocked: Mapping[str, str]
    folders: Mapping[str, Path]
    interrupted: int
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 all stages have results, 1 some failed, 130 interrupted, 75 asked to stop: run again to continue."""
        if self.interrupted:
            return 130 if self.interrupted == signal.SIGINT else 75
        return 1 if self.failed else 0
