"""What both sides start from, as stages of a store, so that an engine can run the grid."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from adapterxfer.stages.context import StageContext

KIND = "given"
EXECUTOR = f"{__name__}:execute"


def execute(context: StageContext) -> dict[str, Any]:
    """Copy the folder that the identity names, without what its own store keeps about it."""
    own = shutil.ignore_patterns("stage.json", "log.jsonl")
    shutil.copytree(Path(context.stage.identity["folder"]), context.scratch, ignore=own, dirs_exist_ok=True)
    return {}
