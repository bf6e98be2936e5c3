"""Faults of disks, one by one. Needs root for small file systems; skips without."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, diamonds, stage

from adapterxfer.cli.main import main
from adapterxfer.engines.events import Outcome
from adapterxfer.engines.inline import run_plan
from adapterxfer.errors import StoreError
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts small file systems: needs Linux and root"
)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run(store: Store, plan: FakePlan, **settings: Any) -> Outcome:
    return run_plan(
        plan, store, jobs=2, settings={"runs": str(store.root.parent / "runs"), **settings}, registry=REGISTRY
    )


def test_full_disk_costs_the_stages_in_flight_only(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        store = Store(disk / "store")
        first = diamonds(1)
        assert run(store, first).exit_code == 0
        (disk / "filler").write_bytes(b"x" * (1024 * 1024 - 4096 * 60))
        with pytest.raises(StoreError, match=r"full|cannot be written"):
            run(store, FakePlan([*first.stages.values(), *(stage("work", f"more{n}") for n in range(200))]))
        assert audit(store).damaged == ()
        kept = len(store.completed())
        assert kept >= len(first.stages)
        assert store.failures.read() == {}
        (disk / "filler").unlink()
        assert run(store, diamonds(2)).exit_code == 0
        assert audit(store).damaged == ()


def test_read_only_store_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(Path(__file__).parents[2] / "recipes" / "quickstart.yaml")
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = Store(disk / "store")
        assert run(store, diamonds(1)).exit_code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in (["plan", recipe], ["status", recipe], ["store", "verify"], ["store", "gc", recipe]):
            assert main([*command, "--store", str(store.root)]) == 0, command
        capsys.readouterr()
        assert main(["store", "gc", recipe, "--delete", "--store", str(store.root)]) == 3
        assert "cannot be written" in capsys.readouterr().err
        with pytest.raises(StoreError, match="cannot be written"):
            run(store, diamonds(1))


def test_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert run(store, diamonds(1)).exit_code == 0
    for moment in (0, time.time() + 10 * 365 * 86400):
        for path in store.root.rglob("*"):
            os.utime(path, (moment, moment))
        assert len(run(store, diamonds(1)).reused) == 4
        assert audit(store).damaged == ()


def test_stage_that_takes_all_memory_fails_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    bad, good = stage("die", "bad"), stage("work", "good")
    outcome = run(store, FakePlan([bad, good]))
    assert outcome.finished == (good.key,)
    assert "memory" in outcome.failed[bad.key].fix
