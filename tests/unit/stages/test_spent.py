"""Operations of the trainings behind a model, from the records of its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterxfer.stages.spent import gflop_in_all
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


def committed(store: Store, kind: str, slug: str, result: dict[str, Any]) -> Path:
    stage = Stage(kind=kind, version=1, identity={"slug": slug}, inputs={}, slug=slug, resources={"cost": 3.0})
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "log.jsonl").write_text("", encoding="utf-8")
        return store.commit(stage, scratch, result=result, provenance={})


def test_trainings_count_with_what_they_start_from(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.open()
    old = committed(store, "train_intermediate", "old", {})
    new = committed(store, "train_target", "new", {"gflop_in_all": 5.5})
    data = committed(store, "prepare", "data", {})
    assert gflop_in_all([old]) == 3.0
    assert gflop_in_all([old, new, data, tmp_path]) == 8.5
