"""Where a long stage goes on after a kill: its whole state, written in one step, as safetensors and JSON.

A checkpoint is a folder ``step-<number>`` with ``state.safetensors`` and ``state.json``; the JSON holds the sha256 of
the tensors and the key of the stage. It is written beside its place, flushed and renamed, and only then the one before
is removed: at every moment the folder holds one that is whole. One that is not, or belongs to something else, is never
used.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from adapterxfer.durable.files import flush_folder, write_flushed
from adapterxfer.durable.tensors import write_tensors

SCHEMA = 1
EVERY_S = 60.0
"""Default seconds between two checkpoints: with what `Checkpoints.due` leaves out, what a kill costs at most."""

TENSORS, FACTS = "state.safetensors", "state.json"
_PREFIX, _PART = "step-", ".part-"


class Saved(NamedTuple):
    """A checkpoint that was read and is whole; its tensors are mapped from the file."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Checkpoints:
    """The checkpoints of one stage.

    Args:
        folder: of this stage alone; made with the first checkpoint.
        stage: key of the stage: what another one wrote is not read.
        every_s: seconds between checkpoints; 0 for none by time.
        every_steps: steps between checkpoints; 0 for none by steps.
        stop: whether to save and end now.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stage: str,
        every_s: float = EVERY_S,
        every_steps: int = 0,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._folder, self._stage = folder, stage
        self._every_s, self._every_steps = every_s, every_steps
        self._stop = stop
        self._last = time.monotonic()
        self._first: tuple[int, float] | None = None

    @property
    def stopping(self) -> bool:
        """Whether somebody asks to save and end."""
        return self._stop is not None and self._stop()

    def due(self, step: int, steps: int = 0) -> bool:
        """Whether a checkpoint should be written after this step.

        Not by time where what is left takes less than half of the time between two: a checkpoint of full fine-tuning
        is three times as large as its result, and a short stage would write little else.

        Args:
            step: that has just ended; asked after every step.
            steps: of all; 0 where nobody knows.
        """
        if self._every_steps and step % self._every_steps == 0:
            return True
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
        if not self._every_s or now - self._last < self._every_s:
            return False
        begin, began = self._first
        left = (steps - step) * (now - began) / (step - begin) if step > begin and steps else math.inf
        return left >= self._every_s / 2

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the state after ``step`` and remove older ones.

        Args:
            tensors: on any device; stored bit for bit.
            facts: JSON values.

        Raises:
            OSError: it could not be written; the one before is still there.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f"{_PART}{secrets.token_hex(6)}"
        try:
            beside.mkdir()
            record = {
                "schema": SCHEMA,
                "stage": self._stage,
                "step": step,
                "sha256": write_tensors(beside / TENSORS, tensors),
                "facts": dict(facts),
            }
            write_flushed(beside / FACTS, json.dumps(record, allow_nan=False).encode())
            flush_folder(beside)
            folder = self._folder / f"{_PREFIX}{step:09d}"
            if folder.exists():  # of a run that could not read it
                shutil.rmtree(folder)
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        flush_folder(self._folder)
        for older in self._all():
            if older.name != folder.name:
                shutil.rmtree(older, ignore_errors=True)
        self._last = time.monotonic()

    def load(self) -> Saved | None:
        """The newest whole checkpoint of this stage, or None; what is torn or damaged is passed over."""
        for left in self._folder.glob(f"{_PART}*"):
            shutil.rmtree(left, ignore_errors=True)
        for folder in sorted(self._all(), reverse=True):
            with suppress(OSError, ValueError, KeyError, TypeError, SafetensorError):
                record = json.loads((folder / FACTS).read_text(encoding="utf-8"))
                if (
                    record["schema"] == SCHEMA
                    and record["stage"] == self._stage
                    and record["sha256"] == _sha256(folder / TENSORS)
                ):
                    return Saved(int(record["step"]), load_file(folder / TENSORS), dict(record["facts"]))
        return None

    def clear(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _all(self) -> list[Path]:
        return [path for path in self._folder.glob(f"{_PREFIX}*") if path.is_dir()]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
