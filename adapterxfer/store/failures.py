"""Records of stages that failed: kept beside the results until the stage succeeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.store.files import write_json
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.record import SCHEMA
from adapterxfer.store.redaction import redact
from adapterxfer.store.sealing import seal_broken, sealed

ATTEMPTS = 3
"""A stage that failed this often is not tried again until somebody says so with `run --retry-failed`.

An error that repeats costs three tries, not one in every run for ever; one that passes (a file that was missing, a
worker that the system killed) is tried again by simply running again.
"""

LOG_LINES = 50
"""Last lines of a stage's log that its failure record keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a stage has no result.

    Attributes:
        stage: the stage that failed.
        error: class name of the error, e.g. ``DataError``, or ``WorkerDied``.
        what: its text without the fix.
        fix: one line that says how to fix it; may be empty.
        attempts: how often it was tried since it last succeeded or `run --retry-failed` forgot the failures, all runs
            together.
        log: the last lines of the stage's log and of the worker's own output.
        traceback: where it was raised; empty when a worker died.
    """

    stage: Stage
    error: str
    what: str
    fix: str = ""
    attempts: int = 1
    log: Sequence[str] = ()
    traceback: str = ""

    def __str__(self) -> str:
        text = f"{self.stage.kind} {self.stage.folder_name}: {self.error}: {self.what}"
        return f"{text}\n  fix: {self.fix}" if self.fix else text

    def as_json(self) -> dict[str, Any]:
        """The content of ``failed/<key16>.json``."""
        return {
            "schema": SCHEMA,
            "stage": self.stage.as_json(),
            "error": self.error,
            "what": redact(self.what),
            "fix": self.fix,
            "attempts": self.attempts,
            "log": [redact(line) for line in list(self.log)[-LOG_LINES:]],
            "traceback": redact(self.traceback),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Failure:
        """Rebuild a record read from the store."""
        return cls(
            stage=Stage.from_json(value["stage"]),
            error=value["error"],
            what=value["what"],
            fix=value["fix"],
            attempts=value["attempts"],
            log=tuple(value["log"]),
            traceback=value["traceback"],
        )

    @property
    def given_up(self) -> bool:
        """Whether a run leaves this stage alone."""
        return self.attempts >= ATTEMPTS


class FailureRecords:
    """The folder ``failed/`` of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the record of this stage is, if it failed."""
        return self.folder / f"{key[:SHORT_KEY]}.json"

    def write(self, failure: Failure) -> None:
        """Keep this failure; replaces an older one of the same stage."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(failure.stage.key), sealed(failure.as_json()))

    def clear(self, key: str) -> None:
        """Forget the failure of a stage that succeeded."""
        self.path(key).unlink(missing_ok=True)

    def read(self) -> dict[str, Failure]:
        """All records by short key; those that cannot be read or are newer are left out, since they only inform."""
        failures: dict[str, Failure] = {}
        if not self.folder.is_dir():
            return failures
        for path in sorted(self.folder.glob("*.json")):
            try:
                value = json.loads(path.read_text(encoding="utf-8"))
                if not seal_broken(value) and value["schema"] == SCHEMA:
                    failures[path.stem] = Failure.from_json(value)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return failures
