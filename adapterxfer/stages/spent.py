"""How long the trainings behind a model took, its intermediate trainings among them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapterxfer.errors import StoreError
from adapterxfer.store.kinds import MERGED
from adapterxfer.store.record import STAGE_FILE, read_record

TRAININGS = ("train_", MERGED)
"""Beginnings of the kinds of stages that hold a model; preparing and pretraining are no cost of a variant."""

IN_ALL = "seconds_in_all"
"""In the result of a training: its own seconds and those of the trainings that it starts from."""


def seconds_in_all(folders: Iterable[Path]) -> float:
    """Seconds of training behind the model folders among these.

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
            total += float(record.result.get(IN_ALL) or record.result.get("seconds") or 0.0)
    return round(total, 3)
