"""Every kind of file that a newer or an unknown version wrote is refused with its version and a fix that exists."""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import COMMANDS
from adapterxfer.data.storage import read_task
from adapterxfer.data.texts import read_texts
from adapterxfer.errors import AdapterxferError, StoreError
from adapterxfer.hub.manifest import parse_manifest
from adapterxfer.predict.table import METADATA_KEY, read_predictions
from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.recipe import load_recipe
from adapterxfer.recipe.resolved import read_resolved, resolved_path, write_resolved
from adapterxfer.store.audit import audit
from adapterxfer.store.failures import Failure
from adapterxfer.store.record import NewerSchemaError, read_record
from adapterxfer.store.sealing import sealed
from adapterxfer.store.store import Store
from adapterxfer.store.transfer import MANIFEST, import_stages
from adapterxfer.variants.storage import read_description

sys.path.append(str(Path(__file__).parents[1] / "unit" / "store"))

from store_fakes import commit, filled, make_stage

REAL_TEXT = Path(__file__).parents[2] / "recipes" / "real-text.yaml"
UNKNOWN = 99


def put(name: str, content: dict[str, Any]) -> Callable[[Path, Any], Path]:
    """A file of this name with this content and a schema."""

    def write(folder: Path, schema: Any) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sealed({**content, "schema": schema})))
        return folder

    return write


def put_predictions(folder: Path, schema: Any) -> Path:
    from pyarrow import parquet, table

    made = table({"language": ["en"]}).replace_schema_metadata({METADATA_KEY: json.dumps({"schema": schema})})
    parquet.write_table(made, folder / "predictions.parquet")
    return folder


def put_measurement(folder: Path, schema: Any) -> Path:
    recipe = load_recipe(REAL_TEXT)
    path = write_resolved(folder, recipe, dict.fromkeys(recipe.series, 1), dtype="fp32", probe={})
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), "schema": schema})))
    return folder


def put_archive(folder: Path, schema: Any) -> Path:
    content = json.dumps({"schema": schema, "stages": []}).encode()
    member = tarfile.TarInfo(MANIFEST)
    member.size = len(content)
    with tarfile.open(folder / "x.tar", "w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return folder / "x.tar"


KINDS: dict[str, tuple[Callable[[Path, Any], Path], Callable[[Path], object]]] = {
    "store.json": (put("store.json", {}), lambda folder: Store(folder).open()),
    "stage.json": (put("stage.json", {}), read_record),
    "recipes/": (put_measurement, lambda folder: read_resolved(folder, load_recipe(REAL_TEXT))),
    "archive": (put_archive, lambda path: import_stages(Store(path.parent / "store"), path)),
    "task.json": (put("task.json", {"format": "tagging"}), read_task),
    "texts.json": (put("texts.json", {"lines": []}), read_texts),
    "corpus.json": (put("corpus.json", {}), Corpus.load),
    "model.json": (put("model.json", {}), read_description),
    "predictions.parquet": (put_predictions, read_predictions),
    "bundle.json": (
        put("bundle.json", {}),
        lambda folder: parse_manifest(json.loads((folder / "bundle.json").read_text()), "bundle.json"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_file_names_its_version_and_the_fix(kind: str, tmp_path: Path) -> None:
    write, read = KINDS[kind]
    with pytest.raises(AdapterxferError, match=rf"schema {UNKNOWN}; this version of adapterxfer reads") as caught:
        read(write(tmp_path, UNKNOWN))
    assert "newer adapterxfer" in caught.value.fix


@pytest.mark.parametrize("schema", [0, -1])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bundle.json"])
def test_a_schema_that_never_was_is_refused(kind: str, schema: int, tmp_path: Path) -> None:
    write, read = KINDS[kind]
    with pytest.raises(AdapterxferError, match=rf"schema {schema}; this version") as caught:
        read(write(tmp_path, schema))
    assert "again" in caught.value.fix
    # There is nothing to convert from: a fix names no command that is not there.
    commands = set(COMMANDS)
    assert set(re.findall(r"adapterxfer (?:store )?([a-z]+)", caught.value.fix)) <= {*commands, "verify"}
    assert "migrate" not in caught.value.fix


def test_records_of_failures_and_differences_are_looked_at_too(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 1)
    store.record_failure(Failure(stage=make_stage(7), error="DataError", what="no file"))
    assert len(store.failures.read()) == 1
    (path,) = (store.root / "failed").glob("*.json")
    newer = json.dumps(sealed({**json.loads(path.read_text()), "schema": UNKNOWN}))
    path.write_text(newer)
    assert store.failures.read() == {}, "what a newer version means by its fields is not guessed"
    with pytest.raises(NewerSchemaError, match="schema 99"):
        audit(store)
    path.unlink()
    (store.root / "differences").mkdir()
    (store.root / "differences" / "0123456789abcdef.json").write_text(newer)
    with pytest.raises(NewerSchemaError, match="schema 99"):
        audit(store)


def test_stores_of_the_first_versions_open(tmp_path: Path) -> None:
    """They had no sums in their JSON, no versions in measurements, and no names by key."""
    store = filled(tmp_path / "store", 2)
    recipe = load_recipe(REAL_TEXT)
    write_resolved(store.root, recipe, dict.fromkeys(recipe.series, 5), dtype="fp32", probe={})
    for path in [*store.root.glob("*/*/stage.json"), store.root / "store.json", resolved_path(store.root, recipe)]:
        value = json.loads(path.read_text())
        del value["sha256"]
        if path.parent.name == "recipes":
            del value["schema"]
        path.write_text(json.dumps(value))
    for name in (store.root / ".names").iterdir():
        name.unlink()

    old = Store(store.root)
    old.open()
    stage = make_stage(1)
    renamed = replace(stage, slug="another-name")
    assert old.find(renamed, named=True) == old.find(stage)
    assert old.read(stage).result == {"loss": 0.5}
    assert old.intact(old.folder(stage), stage, rehash=True) == ""
    resolved = read_resolved(store.root, recipe)
    assert resolved is not None
    assert resolved["tokens"] == dict.fromkeys(recipe.series, 5)
    assert audit(old).damaged == ()
    commit(old, make_stage(9))
    assert audit(old).stages == 3


def test_a_store_without_a_version_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("{}")
    with pytest.raises(StoreError, match="no schema version; expected 1"):
        Store(tmp_path).open()
