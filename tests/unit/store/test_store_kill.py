"""Makers that are killed -9 at every step of a commit, and locks between processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapterxfer.store.keys import Stage
from adapterxfer.store.locks import StageBusyError
from adapterxfer.store.store import Store

STAGE = Stage(kind="train_target", version=1, identity={"seed": 1}, inputs={}, slug="tiny")

MAKER = """
import os, pathlib, signal, sys
import adapterxfer.store.files as files
import adapterxfer.store.store as module
from adapterxfer.store.keys import Stage

root, point = sys.argv[1:]
stage = Stage(kind="train_target", version=1, identity={"seed": 1}, inputs={}, slug="tiny")

def die_at(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    inner = getattr(owner, name)
    def outer(*args, **kwargs):
        die_at("before " + name)
        value = inner(*args, **kwargs)
        die_at("after " + name)
        return value
    setattr(owner, name, outer)

store = module.Store(root)
store.open()
for owner, name in [(module, "seal"), (module, "write_json"), (pathlib.Path, "rename"), (pathlib.Path, "replace"),
                    (module, "flush_folder"), (os, "fsync"), (module.Store, "forget_lock")]:
    around(owner, name)
with store.locked(stage):
    if store.find(stage) is None:
        with store.scratch(stage) as scratch:
            (scratch / "a.bin").write_bytes(b"a" * 10)
            die_at("in the executor")
            (scratch / "b.bin").write_bytes(b"b" * 10)
            store.commit(stage, scratch, result={}, provenance={})
    store.forget_lock(stage)
print("done")
"""

POINTS = [
    "in the executor",
    "before seal",
    "after fsync",
    "after seal",
    "before write_json",
    "before replace",
    "after replace",
    "after write_json",
    "before rename",
    "after rename",
    "before flush_folder",
    "after flush_folder",
    "before forget_lock",
    "after forget_lock",
]


def make(root: Path, point: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAKER, str(root), point], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("point", POINTS)
def test_killed_maker_leaves_all_or_nothing(tmp_path: Path, point: str) -> None:
    assert make(tmp_path, point).returncode == -signal.SIGKILL
    store = Store(tmp_path)
    for folder in store.completed().values():
        assert store.intact(folder, STAGE, rehash=True) == ""
    store.open()
    assert list((tmp_path / ".scratch").iterdir()) == []
    with store.locked(STAGE, wait_s=0):  # the kernel freed the dead maker's lock
        pass
    assert make(tmp_path, "").stdout == "done\n"
    assert list(store.completed()) == [STAGE.short_key]
    folder = store.folder(STAGE)
    assert store.intact(folder, STAGE, rehash=True) == ""
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin", "stage.json"]
    assert not (tmp_path / "damaged").exists()


def test_lock_excludes_other_processes_until_they_die(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    holder = (
        "import sys, time\nfrom adapterxfer.store.store import Store\nwith Store(sys.argv[1]).locked(sys.argv[2]):\n"
    )
    holder += "    print('held', flush=True)\n    time.sleep(60)\n"
    command = [sys.executable, "-c", holder, str(tmp_path), STAGE.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            with pytest.raises(StageBusyError), store.locked(STAGE, wait_s=0.1):
                pytest.fail("two holders")
        finally:
            process.kill()
    with store.locked(STAGE, wait_s=0):
        pass
