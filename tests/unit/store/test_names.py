"""Finding a result by its key without listing folders; a name that is old, torn or forged leads nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from store_fakes import commit, filled, make_stage

from adapterxfer.store.keys import Stage
from adapterxfer.store.removal import find_garbage, remove
from adapterxfer.store.store import Store
from adapterxfer.store.transfer import export_stages, import_stages


def renamed(stage: Stage) -> Stage:
    """The same work in another recipe, which gives it another folder name."""
    return Stage(kind=stage.kind, version=stage.version, identity=stage.identity, inputs=stage.inputs, slug="another")


def test_a_result_is_found_under_another_slug_without_a_listing(tmp_path: Path, monkeypatch: Any) -> None:
    store = filled(tmp_path / "store", 3)

    def refuse(path: object) -> None:
        raise AssertionError(f"listed {path}")

    monkeypatch.setattr(os, "scandir", refuse)
    assert store.find(renamed(make_stage(1)), named=True) == store.root / "train_target" / make_stage(1).folder_name
    assert store.find(make_stage(8), named=True) is None
    assert store.folder(make_stage(2).key).name == make_stage(2).folder_name


def test_a_result_without_a_name_gets_one_when_a_driver_opens_the_store(tmp_path: Path) -> None:
    store, stage = filled(tmp_path / "store", 2), make_stage(1)
    name = store.root / ".names" / stage.short_key
    name.unlink()
    assert store.find(renamed(stage), named=True) is None
    assert store.find(renamed(stage)) == store.find(stage), "whoever reads lists the folder"
    store.open()
    assert store.find(renamed(stage), named=True) == store.find(stage)


@pytest.mark.parametrize("text", ["", "train_target", "/etc", "../outside-{key}", "a/../b-{key}", ".x/y-{key}", "\x00"])
def test_a_torn_or_forged_name_leads_nowhere(text: str, tmp_path: Path) -> None:
    store, stage = filled(tmp_path / "store", 1), make_stage(0)
    (tmp_path / f"outside-{stage.short_key}").mkdir()
    (store.root / ".names" / stage.short_key).write_text(text.format(key=stage.short_key))
    assert store.names.get(stage.key) is None
    assert store.find(stage) is not None


def test_a_name_written_before_a_kill_is_no_result(tmp_path: Path) -> None:
    store, stage = filled(tmp_path / "store", 1), make_stage(5)
    store.names.put(store.root / stage.kind / stage.folder_name)
    assert store.find(stage, named=True) is None
    commit(store, renamed(stage))
    found = store.find(stage, named=True)
    assert found is not None
    assert found.name == renamed(stage).folder_name


def test_removed_and_imported_results_change_the_names(tmp_path: Path) -> None:
    store, stage = filled(tmp_path / "store", 2), make_stage(1)
    export_stages([store.folder(stage)], tmp_path / "one.tar")
    remove(store, find_garbage(store, [make_stage(0).key]))
    assert not (store.root / ".names" / stage.short_key).exists()
    import_stages(store, tmp_path / "one.tar")
    assert store.find(renamed(stage), named=True) == store.find(stage)
    assert Store(store.root).read(stage).stage.key == stage.key
