"""The training logs of a study for a tracker: TensorBoard, Weights & Biases or Trackio, on this machine alone.

The store is the record; a tracker gets a copy of what it holds. Each training becomes one run: its configuration, the
rows that it logged, and how it ended. Nothing is sent anywhere: TensorBoard gets event files, Weights & Biases a folder
in its offline mode, Trackio its own database.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adapterxfer.engines.events import StageEvent, describe
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

LOGS = ("train.jsonl", "log.jsonl")
"""Files of a stage with its rows, the whole log of a training first: the other one begins again after a kill."""

WRITTEN = "written"
"""Folder of empty files, one for each run that a tracker has got, so that a second call adds what is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One training as a tracker sees it.

    Attributes:
        name: of the run; its last part is the beginning of the stage's key.
        group: the recipe.
        config: what was trained and how, one level deep.
        rows: step and the numbers logged at it, by growing step.
        summary: how it ended.
    """

    name: str
    group: str
    config: Mapping[str, Any]
    rows: tuple[tuple[int, Mapping[str, float]], ...]
    summary: Mapping[str, float]


def read_curve(folder: Path, stage: Stage, recipe: str) -> Curve | None:
    """The curve in a finished stage; None where it logged no steps."""
    rows: dict[int, dict[str, float]] = {}
    for path in (folder / name for name in LOGS):
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            logged = json.loads(line)
            if isinstance(logged, dict) and isinstance(logged.get("step"), int):
                rows.setdefault(logged["step"], {}).update(_numbers(logged, without=("step", "steps")))
        if rows:
            break
    if not rows:
        return None
    result = json.loads((folder / "stage.json").read_text(encoding="utf-8")).get("result") or {}
    identity = stage.identity
    config = {"kind": stage.kind, "description": describe(stage), **stage.labels, **identity.get("settings", {})}
    return Curve(
        name=f"{stage.slug}-{stage.short_key}",
        group=recipe,
        config={key: value for key, value in config.items() if isinstance(value, str | int | float | bool)},
        rows=tuple(sorted(rows.items())),
        summary=_numbers(result),
    )


def _numbers(values: Mapping[str, Any], without: tuple[str, ...] = ()) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and key not in without
    }


def _tensorboard(curve: Curve, folder: Path) -> None:
    """Event files, one folder for each run."""
    from tensorboard.summary import Writer

    writer = Writer(str(folder / curve.group / curve.name))
    for step, values in curve.rows:
        for name, value in values.items():
            writer.add_scalar(f"train/{name}", value, step=step)
    for name, value in curve.summary.items():
        writer.add_scalar(f"result/{name}", value, step=curve.rows[-1][0])
    writer.close()


def _wandb(curve: Curve, folder: Path) -> None:
    """An offline run, which `wandb sync` may send later."""
    import wandb

    with wandb.init(
        mode="offline",
        dir=str(folder),
        project="adapterxfer",
        group=curve.group,
        name=curve.name,
        id=hashlib.sha256(curve.name.encode()).hexdigest()[:16],
        config=dict(curve.config),
        reinit="finish_previous",
        # Facts about the machine, the command and the checkout are no part of a training's log.
        settings=wandb.Settings(
            silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, disable_code=True
        ),
    ) as run:
        for step, values in curve.rows:
            run.log({f"train/{name}": value for name, value in values.items()}, step=step)
        run.log({f"result/{name}": value for name, value in curve.summary.items()}, step=curve.rows[-1][0])


def _trackio(curve: Curve, folder: Path) -> None:
    """A run in Trackio's database in the folder."""
    os.environ["TRACKIO_DIR"] = str(folder)  # read when the library is imported
    import trackio

    with contextlib.redirect_stdout(io.StringIO()):
        trackio.init(
            project=curve.group, name=curve.name, config=dict(curve.config), embed=False, auto_log_gpu=False,
            auto_log_cpu=False,
        )  # fmt: skip
        for step, values in curve.rows:
            trackio.log({f"train/{name}": value for name, value in values.items()}, step=step)
        trackio.log({f"result/{name}": value for name, value in curve.summary.items()}, step=curve.rows[-1][0])
        trackio.finish()


TRACKERS: Mapping[str, Callable[[Curve, Path], None]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "trackio": _trackio,
}
"""Tracker -> what writes one run into its folder. Each is a library of the same name, and an extra of this package."""

SHOWN = {
    "tensorboard": "tensorboard --logdir {folder}",
    "wandb": "wandb sync {folder}/wandb/offline-run-*",
    "trackio": "TRACKIO_DIR={folder} trackio show",
}
"""Tracker -> the command that shows its folder."""


class Tracking:
    """Writes the trainings of a run for a tracker while it goes on, in a thread: a tracker must not hold up a training.

    Args:
        tracker: one of `TRACKERS`.
        folder: where each tracker has a folder of its own.
        store: holds the finished stages.
        recipe: groups the runs.

    Raises:
        AdapterxferError: there is no such tracker.
        MissingDependency: its library is not installed.
    """

    def __init__(self, tracker: str, folder: str | Path, store: Store, recipe: str) -> None:
        if tracker not in TRACKERS:
            raise AdapterxferError(f"tracker '{tracker}'; expected {', '.join(TRACKERS)}", fix="give one of them")
        if find_spec(tracker) is None:
            raise MissingDependency(f"--track {tracker}", tracker)
        self.tracker, self.folder = tracker, Path(folder).absolute() / tracker
        self.problems: list[str] = []
        self.runs = 0
        self._store, self._recipe = store, recipe
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tracking")
        self._pending: list[Future[None]] = []

    def __call__(self, event: StageEvent) -> None:
        """A listener: takes every stage that ends, or that was there already."""
        if event.kind in ("finished", "reused"):
            self._pending.append(self._pool.submit(self._write, event.stage))

    def finish(self, stages: Iterable[Stage]) -> None:
        """Write those of a plan that are in the store and were not written before, and wait for the end."""
        pending = [*self._pending, *(self._pool.submit(self._write, stage) for stage in stages)]
        for future in pending:
            future.result()
        self._pool.shutdown()

    def _write(self, stage: Stage) -> None:
        mark = self.folder / WRITTEN / stage.short_key
        if mark.exists() or self.problems:
            return
        folder = self._store.find(stage)
        curve = None if folder is None else read_curve(folder, stage, self._recipe)
        if curve is None:
            return
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            TRACKERS[self.tracker](curve, self.folder)
        except Exception as error:
            # A tracker raises whatever its many layers raise; the results are in the store, so a run goes on without.
            self.problems.append(f"{self.tracker}: {curve.name}: {type(error).__name__}: {error}")
            return
        mark.touch()
        self.runs += 1
