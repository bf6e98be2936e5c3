"""Commits, look-ups, damage, failure records."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from adapterxfer.errors import StoreError
from adapterxfer.store.failures import LOG_LINES, Failure
from adapterxfer.store.files import write_json
from adapterxfer.store.keys import Stage
from adapterxfer.store.locks import StageBusyError
from adapterxfer.store.record import NewerSchemaError
from adapterxfer.store.sealing import sealed
from adapterxfer.store.store import Store


def make_stage(seed: int = 1, **changes: object) -> Stage:
    values = {"kind": "train_target", "version": 1, "identity": {"seed": seed}, "inputs": {}, "slug": "tiny"}
    return Stage(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.open()
    return store


def commit(store: Store, stage: Stage, content: bytes = b"weights", **result: object) -> Path:
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "inner").mkdir()
        (scratch / "inner" / "model.bin").write_bytes(content)
        return store.commit(stage, scratch, result=result, provenance={"seconds": 1.0})


def test_commit_can_be_read_back_by_stage_key_and_folder(store: Store) -> None:
    stage = make_stage()
    folder = commit(store, stage, loss=0.5)
    assert folder == store.root / "train_target" / f"tiny-{stage.short_key}"
    assert store.completed() == {stage.short_key: folder}
    for place in (stage, stage.key, folder):
        record = store.read(place)
        assert record.stage == stage
        assert record.result == {"loss": 0.5}
        assert record.artefacts == {"inner/model.bin": {"sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}}
    assert list((store.root / ".scratch").iterdir()) == []


def test_key_decides_not_slug(store: Store) -> None:
    folder = commit(store, make_stage(slug="old-name"))
    renamed = make_stage(slug="new-name")
    assert store.find(renamed) == folder
    assert store.intact(folder, renamed) == ""
    assert store.find(make_stage(seed=2)) is None


def test_stage_without_slug_is_found(store: Store) -> None:
    stage = make_stage(slug="")
    folder = commit(store, stage)
    assert store.completed() == {stage.short_key: folder}


def test_nothing_is_committed_when_the_maker_raises(store: Store) -> None:
    stage = make_stage()
    with pytest.raises(IsADirectoryError), store.locked(stage), store.scratch(stage) as scratch:
        scratch.write_text("x")
    assert store.completed() == {}
    assert list((store.root / ".scratch").iterdir()) == []


def test_a_commit_leaves_nothing_to_resume_from_however_it_ended(store: Store) -> None:
    """Also where the maker died between the commit and its last step; what is not committed stays."""
    done, waiting = make_stage(1), make_stage(2)
    for stage in (done, waiting):
        store.resume_folder(stage).mkdir(parents=True)
        (store.resume_folder(stage) / "state").write_text("x")
    commit(store, done)
    assert not store.resume_folder(done).exists()
    store.resume_folder(done).mkdir()
    store.clean()
    assert not store.resume_folder(done).exists()
    assert (store.resume_folder(waiting) / "state").exists()


def test_link_in_scratch_is_refused(store: Store, tmp_path: Path) -> None:
    stage = make_stage()
    (tmp_path / "secret").write_text("x")
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(StoreError, match="link: an artefact must be a plain file"):
            store.commit(stage, scratch, result={}, provenance={})
    assert store.completed() == {}


@pytest.mark.parametrize("changes", [{"slug": "../up"}, {"slug": "a/b"}, {"kind": "failed"}, {"kind": ".."}])
def test_names_cannot_leave_their_folder(store: Store, changes: dict[str, str]) -> None:
    stage = make_stage(**changes)
    with store.scratch(stage) as scratch, pytest.raises(StoreError, match="not a plain folder name"):
        store.commit(stage, scratch, result={}, provenance={})


def test_result_must_be_json(store: Store) -> None:
    stage = make_stage()
    with store.scratch(stage) as scratch, pytest.raises(ValueError, match="JSON compliant"):
        store.commit(stage, scratch, result={"loss": float("nan")}, provenance={})
    assert store.completed() == {}


def remove(folder: Path) -> None:
    (folder / "inner" / "model.bin").unlink()


def shorten(folder: Path) -> None:
    (folder / "inner" / "model.bin").write_bytes(b"weig")


def flip(folder: Path) -> None:
    (folder / "inner" / "model.bin").write_bytes(b"weightS")


def no_record(folder: Path) -> None:
    (folder / "stage.json").unlink()


def torn_record(folder: Path) -> None:
    path = folder / "stage.json"
    path.write_text(path.read_text()[:100])


def other_identity(folder: Path) -> None:
    path = folder / "stage.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))


def list_record(folder: Path) -> None:
    (folder / "stage.json").write_text("[]")


def no_artefacts(folder: Path) -> None:
    (folder / "stage.json").write_text('{"schema": 1, "stage": null}')


@pytest.mark.parametrize(
    ("harm", "rehash", "said"),
    [
        (remove, False, "inner/model.bin: missing"),
        (shorten, False, "4 bytes; expected 7"),
        (flip, True, "sha256 does not match"),
        (no_record, False, "no stage.json"),
        (torn_record, False, "cannot be read"),
        (other_identity, False, "does not match its content"),
        (list_record, False, "no schema version"),
        (no_artefacts, False, "damaged"),
    ],
)
def test_damage_is_named(store: Store, harm: object, rehash: bool, said: str) -> None:
    stage = make_stage()
    folder = commit(store, stage)
    assert store.intact(folder, stage, rehash=True) == ""
    harm(folder)  # type: ignore[operator]
    assert said in store.intact(folder, stage, rehash=rehash)


def test_folder_of_another_stage_is_damage(store: Store) -> None:
    stage, other = make_stage(), make_stage(seed=2)
    folder = commit(store, stage)
    moved = folder.rename(folder.with_name(other.folder_name))
    assert "does not match the folder's name" in store.intact(moved, other)


def test_set_aside_folders_are_never_found(store: Store) -> None:
    stage = make_stage()
    folder = commit(store, stage)
    aside = store.set_aside(folder)
    assert (aside / "inner" / "model.bin").exists()
    assert store.completed() == {}
    assert store.find(stage) is None
    commit(store, stage)
    store.set_aside(folder)
    assert len(list((store.root / "damaged" / "train_target").iterdir())) == 2


def test_newer_schema_is_refused_not_damaged(store: Store) -> None:
    stage = make_stage()
    folder = commit(store, stage)
    path = folder / "stage.json"
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), "schema": 2})))
    with pytest.raises(NewerSchemaError, match="schema 2"):
        store.intact(folder, stage)
    write_json(store.root / "store.json", {"schema": 2})
    with pytest.raises(StoreError, match="install the newer adapterxfer"):
        store.open()


def test_failures_are_kept_until_success(store: Store) -> None:
    stage = make_stage()
    failure = Failure(
        stage=stage,
        error="DataError",
        what="no file",
        fix="put it there",
        attempts=2,
        log=[f"line {n}" for n in range(60)],
        traceback="Traceback",
    )
    store.record_failure(failure)
    (store.root / "failed" / "broken.json").write_text("{")
    read = store.failures.read()
    assert list(read) == [stage.short_key]
    kept = read[stage.short_key]
    assert kept.log == tuple(f"line {n}" for n in range(60 - LOG_LINES, 60))
    assert (kept.stage, kept.error, kept.what, kept.fix, kept.attempts) == (
        stage,
        "DataError",
        "no file",
        "put it there",
        2,
    )
    assert "fix: put it there" in str(kept)
    commit(store, stage)
    assert store.failures.read() == {}


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "absent")
    assert store.completed() == {}
    assert store.find(make_stage()) is None
    assert store.failures.read() == {}
    with pytest.raises(StoreError, match="not in the store"):
        store.folder(make_stage())
    assert not (tmp_path / "absent").exists()


def test_store_in_place_of_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        Store(tmp_path / "file").open()
    assert caught.value.exit_code == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_store_reads(store: Store) -> None:
    stage = make_stage()
    folder = commit(store, stage)
    store.root.chmod(0o555)
    try:
        assert store.read(stage).folder == folder
    finally:
        store.root.chmod(0o755)


def test_clean_leaves_scratch_of_the_living(store: Store) -> None:
    stage, dead = make_stage(), make_stage(seed=2)
    (store.root / ".scratch" / f"{dead.short_key}-feed").mkdir()
    with store.locked(stage), store.scratch(stage) as scratch:
        assert store.clean() == 1
        assert list((store.root / ".scratch").iterdir()) == [scratch]


def test_lock_is_exclusive_and_free_afterwards(store: Store) -> None:
    stage = make_stage()
    with store.locked(stage):
        with pytest.raises(StageBusyError, match="another process is making it"), store.locked(stage, wait_s=0):
            pytest.fail("two holders")
        with store.locked(make_stage(seed=2), wait_s=0):
            pass
    with store.locked(stage, wait_s=0):
        pass


def test_committed_files_follow_the_umask(store: Store) -> None:
    old = os.umask(0o022)
    try:
        folder = commit(store, make_stage())
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "stage.json").stat().st_mode & 0o777 == 0o644


def test_ten_thousand_stages_are_listed_quickly(store: Store) -> None:
    for number in range(10_000):
        (store.root / "predict" / f"s-{number:016x}").mkdir(parents=True)
    started = time.process_time()
    assert len(store.completed()) == 10_000
    assert time.process_time() - started < 0.5
