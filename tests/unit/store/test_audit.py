"""Every kind of damage in every kind of file is found, and only damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from store_fakes import commit, filled, make_stage, snapshot

from adapterxfer.errors import StoreError
from adapterxfer.recipe.resolved import SCHEMA as RECIPE_SCHEMA
from adapterxfer.store.audit import audit, set_aside_damaged
from adapterxfer.store.failures import Failure
from adapterxfer.store.files import write_json
from adapterxfer.store.record import SCHEMA, NewerSchemaError
from adapterxfer.store.sealing import sealed
from adapterxfer.store.store import Store


def flip_bit(path: Path, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_an_intact_store_is_intact_and_nothing_is_written(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    store.failures.write(Failure(stage=make_stage(9), error="DataError", what="not there"))
    write_json_into(store.root / "recipes" / "old.json", {"tokens": {}})
    before = snapshot(store.root)
    found = audit(store)
    assert (found.stages, found.files, found.damaged, found.left_behind) == (3, 9, (), 0)
    assert snapshot(store.root) == before


def write_json_into(path: Path, value: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, value)


@pytest.mark.parametrize("name", ["inner/model.bin", "log.jsonl", "stage.json"])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_one_flipped_bit_is_found_in_every_file_of_a_stage(tmp_path: Path, name: str, bit: int) -> None:
    store = filled(tmp_path / "store")
    folder = store.folder(make_stage(1))
    flip_bit(folder / name, bit)
    found = audit(store)
    assert [damage.path for damage in found.damaged] == [folder]


def test_every_bit_of_every_json_file_is_covered(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 1)
    stage = make_stage(0)
    store.failures.write(Failure(stage=make_stage(9), error="DataError", what="not there"))
    write_json_into(store.root / "recipes" / "x.json", sealed({"schema": 1, "tokens": {"small": 20000}}))
    loose = [store.root / "store.json", store.root / "recipes" / "x.json", *(store.root / "failed").iterdir()]
    for path in (store.folder(stage) / "stage.json", *loose):
        right = path.read_bytes()
        for place in range(0, len(right) - 1, 13 if len(right) > 200 else 1):
            if right[place : place + 1].isspace():
                continue
            changed = bytearray(right)
            changed[place] ^= 1
            path.write_bytes(bytes(changed))
            found = [damage.path for damage in audit(store).damaged]
            assert found == [path.parent if path.name == "stage.json" else path], (path, bytes(changed[place - 9 :]))
        path.write_bytes(right)
    assert audit(store).damaged == ()


def test_records_of_the_first_version_carry_no_sum(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 1)
    for path in (store.root / "store.json", store.folder(make_stage(0)) / "stage.json"):
        value = json.loads(path.read_text())
        del value["sha256"]
        path.write_text(json.dumps(value))
    assert audit(store).damaged == ()
    store.open()
    assert store.intact(store.folder(make_stage(0)), make_stage(0)) == ""


def remove(folder: Path) -> None:
    (folder / "inner" / "model.bin").unlink()


def tear(folder: Path) -> None:
    (folder / "inner" / "model.bin").write_bytes(b"we")


def tear_record(folder: Path) -> None:
    path = folder / "stage.json"
    path.write_text(path.read_text()[:200])


def add(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")


def lead_outside(folder: Path) -> None:
    path = folder / "stage.json"
    path.write_text(path.read_text().replace("inner/model.bin", "../../model.bin"))


@pytest.mark.parametrize("damage", [remove, tear, tear_record, add, link, lead_outside])
def test_damage_is_named_set_aside_and_gone(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    store = filled(tmp_path / "store")
    folder = store.folder(make_stage(1))
    damage(folder)
    (found,) = audit(store).damaged
    assert found.path == folder
    assert found.what
    (moved,) = set_aside_damaged(store, audit(store))
    assert moved.parent == store.root / "damaged" / "train_target"
    assert audit(store).damaged == ()
    assert make_stage(1).short_key not in store.completed()
    assert commit(store, make_stage(1), b"weights 1") == folder


@pytest.mark.parametrize("name", ["store.json", "failed/0123456789abcdef.json", "recipes/x.json"])
@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_damaged_files_beside_the_stages_are_named(tmp_path: Path, name: str, text: str) -> None:
    store = filled(tmp_path / "store", 1)
    path = store.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (found,) = audit(store).damaged
    assert (found.path, found.stage) == (path, False)
    assert set_aside_damaged(store, audit(store)) == []


def test_a_newer_store_is_refused_and_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        audit(Store(tmp_path / "none"))
    store = filled(tmp_path / "store", 1)
    write_json(store.root / "store.json", {"schema": SCHEMA + 1})
    with pytest.raises(NewerSchemaError, match="reads up to"):
        audit(store)
    write_json(store.root / "store.json", {"schema": 0})
    (found,) = audit(store).damaged
    assert "schema 0" in found.what
    assert RECIPE_SCHEMA == 1
