"""What a SLURM queue says about jobs that left no answer: whether they are still known, and how they ended.

Asked of the controller (`squeue`, `scontrol`), not of the accounting (`sacct`): many clusters keep none, and where they
do it answers late. One question serves all jobs of a run.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable
from typing import Any

ASK_S = 15.0
"""Seconds between two questions; a controller serves thousands of users."""

MISSES = 2
"""How often a job without an answer must be missing before it counts as dead: files may arrive later than the state."""

MOST_REQUEUES = 200
"""How often a training that saves each time may be queued again."""

_ENDED = re.compile(r"\b(JobState|Reason|ExitCode)=(\S+)")


class Queue:
    """The jobs of one user in one queue."""

    def __init__(self, ask_s: float = ASK_S) -> None:
        self.ask_s = ask_s
        self._asked = time.monotonic()
        self._misses: dict[str, int] = {}

    def dead(self, jobs: Iterable[str]) -> dict[str, str]:
        """Which of these jobs, none of which has answered, will never answer -> how it ended.

        Empty most of the time: the controller is asked every ``ask_s`` seconds, and what it does not say for sure
        (it is down, or restarts) changes nothing.
        """
        if time.monotonic() - self._asked < self.ask_s:
            return {}
        self._asked = time.monotonic()
        known = living_jobs()
        if known is None:
            return {}
        lost = {}
        for job in jobs:
            self._misses[job] = 0 if job in known else self._misses.get(job, 0) + 1
            if self._misses[job] >= MISSES:
                lost[job] = how_it_ended(job)
        return lost


def living_jobs() -> frozenset[str] | None:
    """Numbers of this user's jobs that wait or run (``12``, ``12_3``); None where the controller does not answer."""
    text = _ask("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i %T")
    if text is None:
        return None
    ended = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
    pairs = (line.split() for line in text.splitlines())
    return frozenset(pair[0] for pair in pairs if len(pair) == 2 and pair[1] not in ended)


def how_it_ended(job: str) -> str:
    """State, reason and exit code of a job, for people."""
    facts = dict(_ENDED.findall(_ask("scontrol", "--oneliner", "show", "job", job) or ""))
    state = facts.get("JobState", "")
    if not state:
        return "the queue does not know it any more"
    reason = f" ({facts['Reason']})" if facts.get("Reason", "None") != "None" else ""
    return f"{state}{reason}, exit code {facts.get('ExitCode', 'unknown')}"


def requeue_this_job() -> bool:
    """Queue the job that this process belongs to again; False where there is none, or too often already."""
    number = os.environ.get("SLURM_JOB_ID", "")
    if not number or int(os.environ.get("SLURM_RESTART_COUNT") or 0) >= MOST_REQUEUES:
        return False
    return _ask("scontrol", "requeue", number) is not None


def cancel(jobs: Iterable[Any]) -> None:
    """End jobs, a hundred at a time; those that are gone already do no harm."""
    numbers = [str(job) for job in jobs]
    for start in range(0, len(numbers), 100):
        _ask("scancel", *numbers[start : start + 100])


def _ask(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
