"""Which function executes which kind of stage. A literal: listing the kinds imports no executor, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from adapterxfer.backbones.lean import be_lean, without_collections
from adapterxfer.errors import StageError
from adapterxfer.stages.context import Executor
from adapterxfer.store.kinds import CANDIDATE, CHOICE, MERGED

EXECUTORS: Mapping[str, str] = {
    "prepare": "adapterxfer.stages.prepare:execute",
    "pretrain": "adapterxfer.stages.pretrain:execute",
    "train_language": "adapterxfer.stages.train:execute",
    "train_intermediate": "adapterxfer.stages.train:execute",
    "reuse_intermediate": "adapterxfer.hub.reusing:execute",
    "train_target": "adapterxfer.stages.train:execute",
    "train_together": "adapterxfer.stages.together:execute",
    "train_fusion": "adapterxfer.stages.train:execute",
    CANDIDATE: "adapterxfer.stages.candidate:execute",
    CHOICE: "adapterxfer.stages.choose:execute",
    MERGED: "adapterxfer.stages.merge:execute",
    "predict": "adapterxfer.stages.predict:execute",
    "report": "adapterxfer.stages.report:execute",
}
"""Stage kind -> ``module:function``; the module is imported when a stage of that kind runs."""


def load_executor(kind: str, registry: Mapping[str, str] = EXECUTORS) -> Executor:
    """Import the executor of one stage kind.

    Raises:
        StageError: no executor is registered for this kind.
    """
    pointer = registry.get(kind)
    if pointer is None:
        raise StageError(
            f"stage kind '{kind}': no executor; expected one of {', '.join(sorted(registry))}",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    module, _, function = pointer.partition(":")
    with without_collections():
        return cast("Executor", getattr(import_module(module), function))


def begin_worker() -> None:
    """What a process does first that runs stages and nothing else; see `backbones.lean`."""
    be_lean()
