"""What an executor sees of the world: its stage, its inputs, a scratch folder, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.durable.beats import BEAT
from adapterxfer.store.keys import Stage

Log = Callable[[Mapping[str, Any]], None]
Executor = Callable[["StageContext"], dict[str, Any]]


def never() -> bool:
    """The answer to "has a stop been requested?" where none can be: always False."""
    return False


def is_kept(line: Mapping[str, Any]) -> bool:
    """Whether a line of progress is written down; the others are only shown."""
    return BEAT not in line


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """Everything one execution of one stage may use, so that any engine, machine or debugger can run it.

    Attributes:
        stage: the unit of work; only its identity and inputs may change the numbers.
        inputs: role -> committed folder of the input stage, to be read only.
        scratch: an empty folder; whatever is written here becomes the artefacts of the stage.
        log: takes one JSON object: appended to ``log.jsonl`` and shown as progress. The keys ``step``, ``steps`` and
            ``loss`` are understood by the progress display, all others are only kept; one with ``beat`` is only shown.
        settings: what does not change the numbers: ``data_root``, ``backbone_folders``, ``eval_batch_tokens``,
            ``device``,
            ``checkpoint_seconds``, ``checkpoint_steps``.
        resume: a folder of this stage that outlives the process and is removed when the stage is committed; made by
            whoever writes into it. None where there is none.
        states: a folder of all stages for what can be computed again; None where there is none.
        stop: whether the stage should save where it is and end with `errors.StageStopped`. An executor that asks is
            given the time to do so; one that never asks is ended at once.
    """

    stage: Stage
    inputs: Mapping[str, Path]
    scratch: Path
    log: Log
    settings: Mapping[str, Any]
    resume: Path | None = None
    states: Path | None = None
    stop: Callable[[], bool] = never

    @property
    def backbone_folder(self) -> Path | None:
        """Where the backbone of this stage is: a pretrain stage or a folder of the recipe; None for package data."""
        backbone = self.stage.identity.get("backbone") or {}
        named = (self.settings.get("backbone_folders") or {}).get(backbone.get("name"))
        return self.inputs.get("backbone") or (Path(named) if named else None)
