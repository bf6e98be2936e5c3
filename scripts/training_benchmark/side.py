"""Times, memory and scores of one side of the grid."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRESS_S = 20.0
"""A line of progress at most this often."""


def _peak_mib() -> int:
    """Largest resident memory of this process, or of the largest of its children, in MiB."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    status = Path("/proc/self/status")
    if status.is_file():  # unlike getrusage, this forgets what the parent had before it started this process
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return max(children, int(found[1]) // 1024)
    return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _cpu_of_children() -> float:
    """Of processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Side:
    """What one process measures of itself.

    Args:
        name: shown with the progress.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._began, self._began_cpu, self._shown = time.perf_counter(), time.process_time(), time.perf_counter()
        self._training = self._loops = 0.0
        self._trainings = 0
        self._formats: dict[str, float] = {}
        self._scores: dict[str, list[float]] = {}

    @contextmanager
    def training(self) -> Iterator[None]:
        """Adds to the time of training."""
        began = time.perf_counter()
        yield
        self._training += time.perf_counter() - began

    @contextmanager
    def predicting(self, format_name: str) -> Iterator[None]:
        """Adds to the time of prediction of a format."""
        began = time.perf_counter()
        yield
        self._formats[format_name] = self._formats.get(format_name, 0.0) + time.perf_counter() - began

    def loop(self, seconds: float) -> None:
        """Of the time of training, what the loop over steps took; the rest is fixed."""
        self._loops += seconds
        self._trainings += 1

    def score(self, cell: str, value: float) -> None:
        """One more seed of a cell."""
        self._scores.setdefault(cell, []).append(value)

    def progress(self, what: str) -> None:
        """Say what is done, now and then."""
        now = time.perf_counter()
        if now - self._shown >= PROGRESS_S:
            self._shown = now
            print(f"  {self.name}: {what} done after {now - self._began:.0f} s", flush=True)

    def as_json(self) -> dict[str, Any]:
        """Seconds of wall and CPU time, peak resident memory in MiB, scores by cell and seed."""
        return {
            "wall": time.perf_counter() - self._began,
            "cpu": time.process_time() - self._began_cpu + _cpu_of_children(),
            "training": self._training,
            "loops": self._loops,
            "trainings": self._trainings,
            "predicting": sum(self._formats.values()),
            "formats": self._formats,
            "peak_mib": _peak_mib(),
            "scores": self._scores,
        }
