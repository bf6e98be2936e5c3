"""What a run shows: bars on a terminal, one plain line per stage elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Container, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.console import console, duration, say
from adapterxfer.engines.events import StageEvent, describe
from adapterxfer.store.keys import Stage

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


STAGE_OVERHEAD = 5.0
"""Start of a stage, in GFLOP: what the smallest backbone computes meanwhile."""


SILENCE_S = 30.0
"""Longest silence of a plain terminal while stages are in work, in seconds."""

MOST_RUNNING = 8
"""Stages in work that are named one by one."""


@dataclass(slots=True)
class _Running:
    """A stage in work: when it began, its first and its latest step with their times, in seconds."""

    stage: Stage
    began: float
    first: tuple[int, float] | None = None
    latest: tuple[int, float] | None = None
    steps: int = 0


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line per finished stage, for logs and pipes, and lines about long ones while they are in work.

    Args:
        total: stages of the plan.
        done: of them, those with results.
        silence_s: seconds after which a stage in work is named again.
    """

    def __init__(self, total: int, done: int, silence_s: float = SILENCE_S) -> None:
        self.total = total
        self.done = done
        self.losses: dict[str, float] = {}
        self.running: dict[str, _Running] = {}
        self._silence, self._over, self._lock = silence_s, threading.Event(), threading.Lock()
        self._clock = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PlainProgress:
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._clock.join()

    def __call__(self, event: StageEvent) -> None:
        """Take one event of the engine."""
        with self._lock:
            self._take(event)

    def running_lines(self, now: float) -> list[str]:
        """What is in work for longer than the silence, one line each: time, step, loss, time left.

        Args:
            now: of the clock `time.monotonic`.
        """
        long = [work for work in self.running.values() if now - work.began >= self._silence]
        lines = [f"running: {describe(work.stage)}: {self._state(work, now)}" for work in long[:MOST_RUNNING]]
        return lines + ([f"running: {len(long) - MOST_RUNNING} more"] if len(long) > MOST_RUNNING else [])

    def _state(self, work: _Running, now: float) -> str:
        words = [duration(now - work.began)]
        if work.first is not None and work.latest is not None:
            words.append(f"step {work.latest[0]:,} of {work.steps:,}")
            if work.stage.key in self.losses:
                words.append(f"loss {self.losses[work.stage.key]:.2f}")
            steps, seconds = (last - first for first, last in zip(work.first, work.latest, strict=True))
            if steps and (left := (work.steps - work.latest[0]) * seconds / steps - (now - work.latest[1])) > 0:
                words.append(f"about {duration(left)} left")
        return ", ".join(words)

    def _watch(self) -> None:
        while not self._over.wait(self._silence):
            with self._lock:
                for line in self.running_lines(time.monotonic()):
                    say(line)

    def _take(self, event: StageEvent) -> None:
        key = event.stage.key
        if event.kind == "started":
            self.running[key] = _Running(event.stage, time.monotonic())
        elif event.kind not in ("progress", "tight"):
            self.running.pop(key, None)
        if event.kind == "progress":
            remember_loss(self.losses, event)
            step, steps = event.detail.get("step"), event.detail.get("steps")
            work = self.running.get(key)
            if work is not None and isinstance(step, int) and isinstance(steps, int):
                work.latest, work.steps = (step, time.monotonic()), steps
                if work.first is None or step < work.first[0]:
                    work.first = work.latest
        elif event.kind == "finished":
            self.done += 1
            loss = f"loss {self.losses.pop(key):.2f}" if key in self.losses else ""
            line = f"[{self.done}/{self.total}] {describe(event.stage):<60} {loss:<12} {duration(event.seconds)}"
            say(line)
        elif event.kind == "failed":
            say(f"failed: {describe(event.stage)}: {failure_text(event)}")
        elif event.kind == "retried":
            say(f"tried again: {describe(event.stage)}: its process died ({event.detail.get('cause', 'unknown')})")
        elif event.kind == "tight":
            say(tight_text(event))
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
        elif event.kind == "tight":
            self.progress.console.print(tight_text(event))
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


def tight_text(event: StageEvent) -> str:
    """What to say of a stage that may need more memory than there is."""
    needed, free = event.detail["needed_gb"], event.detail["free_gb"]
    return (
        f"caution: {describe(event.stage)} may need {needed:.1f} GiB and {free:.1f} GiB are free: it runs alone; it "
        "needs less with fewer --batch-tokens or gradient_checkpointing: true"
    )


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
