"""What a run shows: bars on a terminal, one plain line per stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Container, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.console import console, duration, say
from adapterxfer.engines.events import StageEvent, describe
from adapterxfer.store.keys import Stage

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


STAGE_OVERHEAD = 5.0
"""Start of a stage, in GFLOP: what the smallest backbone computes meanwhile."""


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line per finished stage, for logs and pipes."""

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.done = done
        self.losses: dict[str, float] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: StageEvent) -> None:
        """Take one event of the engine."""
        key = event.stage.key
        if event.kind == "progress":
            remember_loss(self.losses, event)
        elif event.kind == "finished":
            self.done += 1
            loss = f"loss {self.losses.pop(key):.2f}" if key in self.losses else ""
            line = f"[{self.done}/{self.total}] {describe(event.stage):<60} {loss:<12} {duration(event.seconds)}"
            say(line)
        elif event.kind == "failed":
            say(f"failed: {describe(event.stage)}: {failure_text(event)}")
        elif event.kind == "retried":
            say(f"tried again: {describe(event.stage)}: its process died ({event.detail.get('cause', 'unknown')})")
        elif event.kind == "waiting":
            say(f"waiting: {describe(event.stage)} is being made by another run")


class BarProgress(AbstractContextManager["BarProgress"]):
    """Two kinds of bars: the whole run with the remaining time, and every stage in work with its loss."""

    def __init__(self, total: int, done: int, costs: Mapping[str, float] | None = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console(),
        )
        self.started = time.perf_counter()
        self.ended = 0
        # Operations of the stages to come, plus a start-up cost each: stages differ a hundredfold in length.
        self.costs = {key: cost + STAGE_OVERHEAD for key, cost in (costs or {}).items()}
        self.all = sum(self.costs.values())
        self.run: TaskID = self.progress.add_task("all stages", total=total, completed=done, note="")
        self.bars: dict[str, TaskID] = {}
        self.losses: dict[str, float] = {}

    def __enter__(self) -> BarProgress:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def __call__(self, event: StageEvent) -> None:
        """Take one event of the engine."""
        key = event.stage.key
        if event.kind == "started":
            self.bars[key] = self.progress.add_task(describe(event.stage), total=None, note="")
        elif event.kind == "progress" and key in self.bars:
            remember_loss(self.losses, event)
            step, steps = event.detail.get("step"), event.detail.get("steps")
            note = f"loss {self.losses[key]:.2f}" if key in self.losses else ""
            self.progress.update(
                self.bars[key],
                completed=step if isinstance(step, int) else None,
                total=steps if isinstance(steps, int) else None,
                note=note,
            )
        elif event.kind in ("finished", "failed"):
            if key in self.bars:
                self.progress.remove_task(self.bars.pop(key))
            self.losses.pop(key, None)
            self.costs.pop(key, None)
            self.ended += 1
            if event.kind == "finished":
                self.progress.advance(self.run)
            else:
                self.progress.console.print(f"failed: {describe(event.stage)}: {failure_text(event)}")
            self.progress.update(self.run, note=self._remaining())

    def _remaining(self) -> str:
        left = sum(self.costs.values())
        if self.ended < 5 or not left:
            return ""
        seconds = (time.perf_counter() - self.started) * left / (self.all - left)
        return f"about {duration(seconds)} left"


def remember_loss(losses: dict[str, float], event: StageEvent) -> None:
    """Keep the latest training loss of a stage."""
    loss: Any = event.detail.get("loss")
    if isinstance(loss, int | float):
        losses[event.stage.key] = float(loss)


def failure_text(event: StageEvent) -> str:
    """Error class, message and fix of a failed stage."""
    detail = event.detail
    fix = f"\n  fix: {detail['fix']}" if detail.get("fix") else ""
    return f"{detail.get('error', 'error')}: {detail.get('what', '')}{fix}"


def make_progress(stages: Mapping[str, Stage], completed: Container[str]) -> PlainProgress | BarProgress:
    """Bars on a terminal, lines elsewhere.

    Args:
        stages: key -> stage of the plan.
        completed: short keys of the stages that have results.
    """
    left = {key: stage for key, stage in stages.items() if stage.short_key not in completed}
    done = len(stages) - len(left)
    if not sys.stdout.isatty():
        return PlainProgress(len(stages), done)
    return BarProgress(len(stages), done, {key: float(s.resources.get("cost") or 0.0) for key, s in left.items()})
