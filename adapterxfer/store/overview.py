"""The state of a plan as the store alone shows it, whichever engine on whichever machine runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.store.failures import Failure
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.store import LOG_FILE, Store

TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Overview:
    """Every stage of a plan in exactly one of these.

    Attributes:
        done: keys of stages that have results.
        running: keys of stages that somebody makes now -> the last line of their log.
        failed: key -> why there is no result.
        blocked: key -> key of the failed stage that it waits for, directly or not.
        waiting: keys of all others.
        active: whether any driver or stage works in this store now.
    """

    done: frozenset[str]
    running: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, Failure]
    blocked: Mapping[str, str]
    waiting: frozenset[str]
    active: bool

    def blocks(self, key: str) -> int:
        """Number of stages that a failed one blocks."""
        return sum(by == key for by in self.blocked.values())


def look(store: Store, stages: Mapping[str, Stage]) -> Overview:
    """Read the state of these stages; writes nothing and needs no permission to write.

    Args:
        stages: key -> stage, every stage after its inputs.
    """
    held = set(store.busy())
    completed = store.completed()
    failures = store.failures.read()
    done: set[str] = set()
    waiting: set[str] = set()
    running: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, Failure] = {}
    blocked: dict[str, str] = {}
    for key in stages:
        short = key[:SHORT_KEY]
        if short in completed:
            done.add(key)
        elif short in held:
            running[key] = last_line(store, stages[key])
        elif short in failures:
            failed[key] = failures[short]
        elif failed and (by := [other for other in stages[key].inputs.values() if other in blocked or other in failed]):
            blocked[key] = blocked.get(by[0], by[0])
        else:
            waiting.add(key)
    return Overview(frozenset(done), running, failed, blocked, frozenset(waiting), bool(held))


def last_line(store: Store, stage: Stage) -> Mapping[str, Any]:
    """The last complete line of the log of a stage that is being made; empty if there is none yet."""
    for path in store.root.glob(f".scratch/{stage.short_key}-*/{LOG_FILE}"):
        for line in reversed(_tail(path)):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                return value
    return {}


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
