"""What the trainings behind a model cost, its intermediate trainings among them: operations, the same on every machine.

Seconds would tell more to whoever owns that machine, but a report has the same bytes wherever its study was trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapterxfer.errors import StoreError
from adapterxfer.store.kinds import MERGED
from adapterxfer.store.record import STAGE_FILE, read_record

TRAININGS = ("train_", MERGED)
"""Beginnings of the kinds of stages that hold a model; preparing and pretraining are no cost of a variant."""

IN_ALL = "gflop_in_all"
"""In the result of a training: its own estimated operations and those of the trainings that it starts from."""


def gflop_in_all(folders: Iterable[Path]) -> float:
    """Estimated operations of training behind the model folders among these, in GFLOP.

    Of a model made before this was recorded only the last training is known.
    """
    total = 0.0
    for folder in folders:
        if not (folder / STAGE_FILE).is_file():
            continue
        try:
            record = read_record(folder)
        except StoreError:
            continue  # a damaged input is the engine's business, and no reason to lose a training
        if record.stage.kind.startswith(TRAININGS):
            total += float(record.result.get(IN_ALL) or record.stage.resources.get("cost") or 0.0)
    return round(total, 6)
