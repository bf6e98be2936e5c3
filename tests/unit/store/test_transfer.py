"""Archives: results survive the way, and nothing in an archive from outside can do harm."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from store_fakes import commit, filled, make_stage, predictions, snapshot

from adapterxfer.errors import StoreError
from adapterxfer.store.audit import audit
from adapterxfer.store.differences import read_differences
from adapterxfer.store.store import Store
from adapterxfer.store.transfer import export_stages, import_stages


def content(store: Store) -> dict[str, bytes]:
    return {
        path.relative_to(store.root).as_posix(): path.read_bytes()
        for folder in store.folders()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_results_arrive_as_they_left_and_again_changes_nothing(tmp_path: Path) -> None:
    store, other = filled(tmp_path / "a"), Store(tmp_path / "b")
    assert export_stages(store.folders(), tmp_path / "x.tar") == 3
    done = import_stages(other, tmp_path / "x.tar")
    assert (len(done.added), done.same, done.differences) == (3, [], [])
    assert content(other) == content(store)
    assert audit(other).damaged == ()
    before = snapshot(other.root)
    again = import_stages(other, tmp_path / "x.tar")
    assert (again.added, len(again.same), again.differences) == ([], 3, [])
    assert {
        name for name in snapshot(other.root).items() ^ before.items() if "/" in name[0] and name[0][0] != "."
    } == set()
    export_stages(reversed(list(other.folders())), tmp_path / "y.tar")
    assert (tmp_path / "y.tar").read_bytes() == (tmp_path / "x.tar").read_bytes()


def test_two_machines_that_did_the_same_stage_are_compared(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    one, two = (make_stage(seed, "predict") for seed in (1, 2))
    for store, answers, compression in ((here, ["yes", "no", "no"], "none"), (there, ["yes", "no", "maybe"], "zstd")):
        store.open()
        predictions(store, one, answers)
        predictions(store, two, ["yes"], compression=compression)
    export_stages(there.folders(), tmp_path / "x.tar")
    before = content(here)
    done = import_stages(here, tmp_path / "x.tar")
    found = {difference.here.stage.key: difference for difference in done.differences}
    assert found[one.key].rows == (1, 3)
    assert found[one.key].matters
    assert found[two.key].rows == (0, 1)
    assert not found[two.key].matters
    assert content(here) == before, "what was here stays"
    assert set(read_differences(here.root)) == {one.short_key, two.short_key}
    assert audit(here).damaged == ()


def test_a_damaged_result_is_replaced_by_the_imported_one(tmp_path: Path) -> None:
    store, other = filled(tmp_path / "a", 1), filled(tmp_path / "b", 1)
    (other.folder(make_stage(0)) / "inner" / "model.bin").write_bytes(b"weights X")
    export_stages(store.folders(), tmp_path / "x.tar")
    assert len(import_stages(other, tmp_path / "x.tar").added) == 1
    assert audit(other).damaged == ()
    assert len(list((other.root / "damaged" / "train_target").iterdir())) == 1


def test_damaged_stages_are_not_exported(tmp_path: Path) -> None:
    store = filled(tmp_path / "a", 2)
    (store.folder(make_stage(0)) / "inner" / "model.bin").write_bytes(b"weights X")
    with pytest.raises(StoreError, match="sha256 does not match"):
        export_stages(store.folders(), tmp_path / "x.tar")
    assert list(tmp_path.glob("*.tar")) == list(tmp_path.glob(".*.tar.*")) == []


Members = list[tuple[tarfile.TarInfo, bytes]]


def rebuild(tmp_path: Path, change: Callable[[Members], Members]) -> Path:
    """An archive of one stage, changed by an attacker."""
    store = Store(tmp_path / "a")
    store.open()
    commit(store, make_stage(1))
    export_stages(store.folders(), tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for member, data in change(members):
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return tmp_path / "bad.tar"


def rename_all(new: str) -> Callable[[Members], Members]:
    """The manifest and every member speak of another folder."""

    def change(members: Members) -> Members:
        old = json.loads(members[0][1])["stages"][0]
        manifest = json.dumps({"schema": 1, "stages": [new]}).encode()
        for member, _ in members:
            member.name = member.name.replace(old, new)
        return [(members[0][0], manifest), *members[1:]]

    return change


def as_link(kind: bytes, target: str) -> Callable[[Members], Members]:
    def change(members: Members) -> Members:
        member, _ = members[-1]
        member.type, member.linkname = kind, target
        return members

    return change


def name_outside(members: Members) -> Members:
    members[1] = (members[1][0], members[1][1].replace(b"inner/model.bin", b"../../../escaped"))
    members[2][0].name = members[2][0].name.replace("inner/model.bin", "../../../escaped")
    return members


def other_bytes(members: Members) -> Members:
    return [(member, data.replace(b"weights", b"weightS")) for member, data in members]


def longer(members: Members) -> Members:
    return [*members[:2], (members[2][0], members[2][1] * 1000), *members[3:]]


def extra(members: Members) -> Members:
    return [*members, (tarfile.TarInfo("train_target/more"), b"x")]


def newer(members: Members) -> Members:
    return [(members[0][0], b'{"schema": 99, "stages": []}'), *members[1:]]


ATTACKS: dict[str, Callable[[Members], Members]] = {
    "parent folder": rename_all("../tiny-0123456789abcdef"),
    "absolute": rename_all("/tmp/tiny-0123456789abcdef"),
    "reserved": rename_all("failed/tiny-0123456789abcdef"),
    "hidden": rename_all(".locks/tiny-0123456789abcdef"),
    "deep": rename_all("a/b/tiny-0123456789abcdef"),
    "backslash": rename_all("a\\..\\..\\b/tiny-0123456789abcdef"),
    "other key": rename_all("train_target/tiny-0123456789abcdef"),
    "symbolic link": as_link(tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": as_link(tarfile.LNKTYPE, "/etc/passwd"),
    "device": as_link(tarfile.CHRTYPE, ""),
    "artefact outside": name_outside,
    "other bytes": other_bytes,
    "longer file": longer,
    "extra member": extra,
    "newer": newer,
    "no manifest": lambda members: members[1:],
    "cut": lambda members: members[:-1],
    "empty": lambda members: [],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_archive_is_refused_and_leaves_nothing_outside(tmp_path: Path, attack: str) -> None:
    bad = rebuild(tmp_path, ATTACKS[attack])
    around = {path.name for path in tmp_path.iterdir()}
    store = Store(tmp_path / "b")
    with pytest.raises(StoreError, match=r"archive|schema|damaged|key") as caught:
        import_stages(store, bad)
    assert caught.value.fix
    assert {path.name for path in tmp_path.iterdir()} == around | {"b"}
    assert attack == "extra member" or list(store.folders()) == []
    assert list((store.root / ".scratch").iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 5000, bytes(10240)])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(StoreError, match=r"x\.tar"):
        import_stages(Store(tmp_path / "b"), tmp_path / "x.tar")
    with pytest.raises(StoreError, match=r"none\.tar"):
        import_stages(Store(tmp_path / "b"), tmp_path / "none.tar")
