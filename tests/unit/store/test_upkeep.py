"""Removing what is not needed, looking from outside, and keeping secrets out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from store_fakes import commit, filled, make_stage, snapshot

from adapterxfer.errors import StoreError
from adapterxfer.store.failures import Failure
from adapterxfer.store.overview import look
from adapterxfer.store.redaction import HIDDEN, holds_token, redact, redact_json
from adapterxfer.store.removal import find_garbage, remove
from adapterxfer.store.store import Store


def test_only_what_nobody_references_goes(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 4)
    keep = [make_stage(0).key, make_stage(2).short_key]
    store.failures.write(Failure(stage=make_stage(7), error="DataError", what="not there"))
    store.set_aside(store.folder(make_stage(3)))
    before = snapshot(store.root)
    garbage = find_garbage(store, keep)
    assert snapshot(store.root) == before, "looking removes nothing"
    assert [folder.name for folder in garbage.stages] == [make_stage(1).folder_name]
    assert (len(garbage.leftovers), garbage.kept) == (2, 2)
    assert garbage.bytes > 0
    assert len(remove(store, garbage)) == 3
    assert set(store.completed()) == {key[:16] for key in keep}
    assert find_garbage(store, keep).bytes == 0
    assert list((store.root / ".scratch").iterdir()) == []


def test_nothing_is_removed_while_a_run_is_in_progress(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 1)
    garbage = find_garbage(store, [])
    with store.running():
        assert store.busy() == ["run"]
        with pytest.raises(StoreError, match="a run is in progress"):
            remove(store, garbage)
    with store.locked(make_stage(5)), pytest.raises(StoreError, match="in progress"):
        remove(store, garbage)
    assert len(store.completed()) == 1
    assert store.busy() == []
    assert len(remove(store, garbage)) == 1


def test_the_store_alone_shows_what_runs_fails_and_blocks(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.open()
    done, running, failed = (make_stage(seed) for seed in (1, 2, 3))
    child = make_stage(4, data=failed.key)
    grandchild = make_stage(5, data=child.key)
    later = make_stage(6, data=running.key)
    stages = {stage.key: stage for stage in (done, running, failed, child, grandchild, later)}
    commit(store, done)
    store.failures.write(Failure(stage=failed, error="DataError", what="not there", attempts=2))
    with store.locked(running), store.scratch(running) as scratch:
        (scratch / "log.jsonl").write_text('{"step": 1}\n{"step": 25, "steps": 50, "loss": 0.5}\n{"st')
        before = snapshot(store.root)
        seen = look(store, stages)
        assert snapshot(store.root) == before
    assert seen.done == {done.key}
    assert seen.running == {running.key: {"step": 25, "steps": 50, "loss": 0.5}}
    assert seen.failed[failed.key].attempts == 2
    assert seen.blocked == {child.key: failed.key, grandchild.key: failed.key}
    assert seen.blocks(failed.key) == 2
    assert seen.waiting == {later.key}
    assert seen.active
    assert not look(store, stages).active
    assert look(Store(tmp_path / "none"), stages).waiting >= {done.key, running.key}


def test_secrets_never_reach_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "very-secret-value")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-false")
    store = Store(tmp_path / "store")
    store.open()
    stage = make_stage(1)
    with store.locked(stage), store.scratch(stage) as scratch:
        folder = store.commit(
            stage, scratch, result={"note": "by very-secret-value"}, provenance={"a": ["https://u:pass@host/x"]}
        )
    traceback = "token=very-secret-value"
    failure = Failure(
        stage=make_stage(2), error="OSError", what="401 very-secret-value", log=["Bearer abcdefghijklmnopqrst"]
    )
    store.failures.write(failure)
    store.failures.write(Failure(stage=make_stage(3), error="OSError", what="x", traceback=traceback))
    written = "".join(path.read_text() for path in store.root.rglob("*.json"))
    assert "very-secret" not in written
    assert "u:pass" not in written
    assert "abcdefghijklmnopqrst" not in written
    assert json.loads((folder / "stage.json").read_text())["result"] == {"note": f"by {HIDDEN}"}
    for token in ("hf_" + "a" * 34, "ghp_" + "b1" * 18, "sk-proj-" + "cD3" * 12, "AKIA" + "Q7" * 8):
        assert redact(f"key {token}.") == f"key {HIDDEN}."
        assert holds_token(token)
    assert not holds_token("sk-train-of-a-very-long-name, https://user:password@host, AKIAB, hf_short")
    assert redact_json({"false-false": ["false-false", 3, None]}) == {"false-false": ["false-false", 3, None]}
