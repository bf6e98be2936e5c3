"""A store of records, for tests of what is read from a store without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.store.keys import Stage
from adapterxfer.store.record import StageRecord

CPU = {"device": "cpu", "torch_threads": 1, "host": {"machine": "x86_64"}}


class Shelf:
    """A store of records; what a test copies into a folder is no artefact of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, Path] = {}

    def add(
        self, kind: str, inputs: Mapping[str, str], seconds: float | None, *, name: str = "",
        result: Mapping[str, Any] | None = None, provenance: Mapping[str, Any] = CPU, **identity: Any,
    ) -> str:  # fmt: skip
        """Key of a new stage."""
        stage = Stage(kind=kind, version=1, identity={"name": name, **identity}, inputs=inputs, slug=name)
        folder = self.root / kind / stage.folder_name
        folder.mkdir(parents=True)
        timed = {**provenance} if seconds is None else {**provenance, "seconds": seconds}
        record = StageRecord(folder, stage, result or {}, timed, {})
        (folder / "stage.json").write_text(json.dumps(record.as_json()), encoding="utf-8")
        self.folders[stage.key] = folder
        return stage.key
