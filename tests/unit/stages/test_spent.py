"""Seconds of the trainings behind a model, from the records of its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterxfer.stages.spent import seconds_in_all
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


def committed(store: Store, kind: str, slug: str, result: dict[str, Any]) -> Path:
    stage = Stage(kind=kind, version=1, identity={"slug": slug}, inputs={}, slug=slug)
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "log.jsonl").write_text("", encoding="utf-8")
        return store.commit(stage, scratch, result=result, provenance={})


def test_trainings_count_with_what_they_start_from(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.open()
    old = committed(store, "train_intermediate", "old", {"seconds": 3.0})
    new = committed(store, "train_target", "new", {"seconds": 2.0, "seconds_in_all": 5.5})
    data = committed(store, "prepare", "data", {"seconds": 100.0})
    assert seconds_in_all([old]) == 3.0
    assert seconds_in_all([old, new, data, tmp_path]) == 8.5
