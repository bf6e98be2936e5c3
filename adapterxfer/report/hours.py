"""Measured time of trainings, from the records of their stages: of one machine, and no part of what a study found.

A report has the same bytes wherever its study was trained; times have not. So they are no findings, stand in files of
their own (``measured/``) and in one marked block of the page, and everything else stays comparable byte by byte.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.errors import StoreError
from adapterxfer.report.display import NONE
from adapterxfer.report.results import Results
from adapterxfer.report.study import arm_labels
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.kinds import MERGED
from adapterxfer.store.record import STAGE_FILE, StageRecord, read_record
from adapterxfer.store.store import Store

TRAININGS = ("train_", MERGED)
"""Beginnings of the kinds of stages whose time is a training's."""

TOGETHER = "together"
"""Role of a group of seeds among the inputs of a training that was taken out of it."""

STARTS = ("model", "intermediate", "target", "language")
"""Beginnings of the roles of those inputs of a training that are trainings themselves."""

COLUMNS = ("backbone", "variant", "median_hours", "systems", "systems_measured", "devices")


class Timed(NamedTuple):
    """Device time of trainings in seconds, and where they ran."""

    seconds: float
    devices: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRow:
    """One variant on one backbone.

    Attributes:
        hours: median over its systems with an intermediate task (each seed and task one system) of the time of all
            trainings behind them; None where no time is known.
        systems: how many there are.
        measured: of how many the time is known.
        devices: where they were trained.
    """

    backbone: str
    variant: str
    hours: float | None
    systems: int
    measured: int
    devices: tuple[str, ...]


def training_hours(results: Results) -> tuple[HoursRow, ...]:
    """Measured time of every variant with an intermediate task on every backbone, in the order of the cells.

    On the targets that all of them have: one without training (retrieval) would make a variant look cheap.
    """
    labels = arm_labels(results.cells)
    folders: dict[tuple[str, str], dict[str, tuple[str, Path]]] = {}
    for cell in results.cells:
        if not cell.is_control and cell.intermediate != NONE and not supervision_of(cell.target):
            rows = folders.setdefault((cell.backbone, labels[cell.variant, cell.adapter]), {})
            rows[cell.predict] = cell.target, results.folders[cell.predict]
    targets = [{target for target, _ in systems.values()} for systems in folders.values()]
    shared = set.intersection(*targets) if targets else set()
    clock = _Clock()
    return tuple(
        _row(backbone, variant, [clock.of(folder) for target, folder in systems.values() if target in shared])
        for (backbone, variant), systems in folders.items()
    )


def _row(backbone: str, variant: str, times: list[Timed | None]) -> HoursRow:
    known = [time for time in times if time is not None]
    return HoursRow(
        backbone=backbone,
        variant=variant,
        hours=median(time.seconds for time in known) / 3600.0 if known else None,
        systems=len(times),
        measured=len(known),
        devices=tuple(sorted(frozenset[str]().union(*(time.devices for time in known)))),
    )


def hours_csv(rows: tuple[HoursRow, ...]) -> str:
    """The rows as a table with a header, hours to the millionth."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        shown = "" if row.hours is None else f"{row.hours:.6f}"
        writer.writerow([row.backbone, row.variant, shown, row.systems, row.measured, "; ".join(row.devices)])
    return buffer.getvalue()


@dataclass(slots=True)
class _Clock:
    """Time behind predictions, every stage read once."""

    _stores: dict[Path, Mapping[str, Path]] = field(default_factory=dict)
    _times: dict[Path, Timed | None] = field(default_factory=dict)

    def of(self, predictions: Path) -> Timed | None:
        """Time of all trainings behind the predictions in a folder; None where one of them is not known."""
        record = _record(predictions)
        model = record.stage.inputs.get("model") if record is not None else None
        return None if model is None else self._behind(self._folder(predictions, model))

    def _folder(self, beside: Path, key: str) -> Path | None:
        """Folder of another stage of the store that a folder is in."""
        root = beside.parent.parent
        if root not in self._stores:
            self._stores[root] = Store(root).completed()
        return self._stores[root].get(key[:SHORT_KEY])

    def _behind(self, folder: Path | None) -> Timed | None:
        if folder is None:
            return None
        if folder not in self._times:
            self._times[folder] = self._sum(folder)
        return self._times[folder]

    def _sum(self, folder: Path) -> Timed | None:
        """A training with those that it starts from. One that was taken out of a group has its share of the group."""
        record = _record(folder)
        if record is None:
            return None
        inputs = dict(record.stage.inputs)
        group = inputs.pop(TOGETHER, None)
        timed = self._share(self._folder(folder, group)) if group is not None else _alone(record)
        for role, key in inputs.items():
            if role.partition(".")[0] not in STARTS:
                continue
            before = self._behind(self._folder(folder, key))
            if before is None or timed is None:
                return None
            timed = Timed(timed.seconds + before.seconds, timed.devices | before.devices)
        return timed

    def _share(self, folder: Path | None) -> Timed | None:
        record = _record(folder) if folder is not None else None
        if record is None or any(told.get("resumed_at") for told in dict(record.result.get("seeds", {})).values()):
            return None
        whole = _alone(record)
        return None if whole is None else Timed(whole.seconds / len(record.stage.identity["seeds"]), whole.devices)


def _record(folder: Path) -> StageRecord | None:
    """What a folder says of itself; None for predictions that came without a record, or with a damaged one."""
    if not (folder / STAGE_FILE).is_file():
        return None
    try:
        return read_record(folder)
    except StoreError:
        return None


def _alone(record: StageRecord) -> Timed | None:
    """Time of one stage on all its processes.

    None where it was resumed, as only the last attempt was timed, and where the model was trained elsewhere.
    """
    seconds = record.provenance.get("seconds")
    if not isinstance(seconds, (int, float)) or record.result.get("resumed_at"):
        return None
    if not record.stage.kind.startswith(TRAININGS):
        return None
    processes = int(record.result.get("processes") or 1)
    return Timed(float(seconds) * processes, frozenset({_device(record.provenance)}))


def _device(provenance: Mapping[str, Any]) -> str:
    """What trained, in words: an accelerator by its name, else the kind of processor and its threads."""
    if provenance.get("accelerator"):
        return str(provenance["accelerator"])
    threads = provenance.get("torch_threads")
    shown = f", {threads} thread{'' if threads == 1 else 's'}" if threads else ""
    machine = dict(provenance.get("host") or {}).get("machine", "")
    return f"{provenance.get('device', 'cpu')} {machine}".strip() + shown
