"""A store with a few small stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


def make_stage(seed: int = 1, kind: str = "train_target", **inputs: str) -> Stage:
    return Stage(kind=kind, version=1, identity={"seed": seed}, inputs=inputs, slug=f"tiny-{seed}")


def commit(store: Store, stage: Stage, content: bytes = b"weights") -> Path:
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "inner").mkdir()
        (scratch / "inner" / "model.bin").write_bytes(content)
        (scratch / "log.jsonl").write_text(json.dumps({"seconds": len(content)}) + "\n")
        return store.commit(stage, scratch, result={"loss": 0.5}, provenance={"libraries": {"torch": "2"}})


def predictions(store: Store, stage: Stage, answers: list[str], *, compression: str = "none") -> Path:
    """Commit a predict stage; the compression changes bytes and no value."""
    from pyarrow import array, parquet, table

    columns: dict[str, Any] = {"language": array(["en"] * len(answers)).dictionary_encode(), "prediction": answers}
    with store.locked(stage), store.scratch(stage) as scratch:
        parquet.write_table(table(columns), scratch / "predictions.parquet", compression=compression)
        return store.commit(stage, scratch, result={}, provenance={})


def filled(root: Path, count: int = 3) -> Store:
    store = Store(root)
    store.open()
    for seed in range(count):
        commit(store, make_stage(seed), b"weights %d" % seed)
    return store


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time."""
    return {
        path.relative_to(root).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")
    }
