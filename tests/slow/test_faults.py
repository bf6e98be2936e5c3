"""Faults of disks, clocks and memory, one by one: what is lost is the stage in flight. docs/clusters.md has the table.

Small file systems need root, clock and slow files a C compiler. What is absent is skipped.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tiny_study
from engine_fakes import REGISTRY, FakePlan, diamonds, stage

from adapterxfer.cli.main import main
from adapterxfer.engines.events import Outcome
from adapterxfer.engines.inline import run_plan
from adapterxfer.errors import StoreError
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts small file systems: needs Linux and root"
)
FAKES = Path(__file__).parents[1] / "unit" / "engines" / "engine_fakes.py"
STAGES = 12
"""Of the plan that the driver in `FAKES` runs."""


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


@needs_root
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


@needs_root
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


def drive(folder: Path, *, sleep_s: float = 0.05, **environment: str) -> subprocess.Popen[str]:
    """A driver of its own with twelve stages and two workers."""
    command = [sys.executable, str(FAKES), str(folder / "store"), str(folder / "runs"), "2", str(sleep_s)]
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


def values(folder: Path) -> dict[str, bytes]:
    return {key: (path / "value.txt").read_bytes() for key, path in Store(folder / "store").completed().items()}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library that makes files slow and clocks jump."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("hostile") / "hostile.so"
    source = Path(__file__).with_name("hostile.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return str(library)


def test_clock_that_jumps_ten_years_in_the_middle_of_a_run(tmp_path: Path, hostile: str) -> None:
    moment, decade = tmp_path / "moment", 10 * 365 * 86400
    moment.write_text("0")
    driver = drive(tmp_path, sleep_s=1.0, LD_PRELOAD=hostile, CLOCK_FILE=str(moment))
    for jump in (decade, -decade):
        done, deadline = len(values(tmp_path)), time.monotonic() + 60
        while len(values(tmp_path)) < done + 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        moment.write_text(str(jump))
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, output
    store = Store(tmp_path / "store")
    years = {store.read(folder).provenance["finished_at"][:4] for folder in store.completed().values()}
    assert len(years) == 3, f"the clock did not jump: {years}"
    assert len(store.completed()) == STAGES
    assert audit(store).damaged == ()
    assert set(Counter((tmp_path / "runs").read_text().split()).values()) == {1}
    again = drive(tmp_path, sleep_s=1.0)
    assert again.communicate(timeout=300)[0].count("reused ") == STAGES


def test_clock_of_files_means_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert run(store, diamonds(1)).exit_code == 0
    for moment in (0, time.time() + 10 * 365 * 86400):
        for path in store.root.rglob("*"):
            os.utime(path, (moment, moment))
        assert len(run(store, diamonds(1)).reused) == 4
        assert audit(store).damaged == ()


@pytest.mark.parametrize(("kind", "error"), [("hungry", "MemoryError"), ("die", "WorkerDied")])
def test_stage_that_takes_all_memory_fails_alone(tmp_path: Path, kind: str, error: str) -> None:
    """Refused by the system, or killed by it (signal 9)."""
    store = Store(tmp_path / "store")
    bad, good = stage(kind, "bad"), stage("work", "good")
    outcome = run(store, FakePlan([bad, good, stage("work", "child", bad)]))
    assert outcome.finished == (good.key,)
    assert outcome.failed[bad.key].error == error
    assert "memory" in outcome.failed[bad.key].fix
    assert len(outcome.blocked) == 1
    assert audit(store).damaged == ()


def test_slow_file_system_shared_by_two_runs(tmp_path: Path, hostile: str) -> None:
    (tmp_path / "plain").mkdir()
    plain = drive(tmp_path / "plain")
    plain.communicate(timeout=300)
    assert plain.returncode == 0
    started = time.perf_counter()
    drivers = [drive(tmp_path, LD_PRELOAD=hostile, SLOW_MS="40") for _ in range(2)]
    outputs = [driver.communicate(timeout=500)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert time.perf_counter() - started > STAGES * 0.04 * 3, "nothing was slow"
    assert values(tmp_path) == values(tmp_path / "plain")
    assert set(Counter((tmp_path / "runs").read_text().split()).values()) == {1}
    assert audit(Store(tmp_path / "store")).damaged == ()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def fill_with_zeros(path: Path) -> None:
    """Names and sizes reached the disk, data did not."""
    path.write_bytes(b"\0" * path.stat().st_size)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(path.name).randrange(len(content))] ^= 8
    path.write_bytes(bytes(content))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with every kind of stage."""
    folder = tmp_path_factory.mktemp("study")
    tiny_study.write_study(folder, tiny=tiny_study.recipe("tiny"))
    rerun(folder)
    return folder


def rerun(folder: Path) -> None:
    command = tiny_study.command("tiny", "store", "--jobs", "2")
    done = subprocess.run(
        command, cwd=folder, env=tiny_study.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def one_of_each(root: Path) -> dict[tuple[str, str], Path]:
    """(stage kind, name or ending of the file) -> a file of the store, for every such pair."""
    found: dict[tuple[str, str], Path] = {}
    for folder in Store(root).folders():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size:
                words = path.suffix if path.parent.name in ("examples", "figures", "tables") else path.name
                found.setdefault((folder.parent.name, words), path)
    return found


def folder_of(root: Path, path: Path) -> Path:
    return root.joinpath(*path.relative_to(root).parts[:2])


@pytest.mark.parametrize("damage", [flip, halve, fill_with_zeros, empty])
def test_damage_in_every_kind_of_file_is_found_and_made_anew(study: Path, damage: Callable[[Path], None]) -> None:
    store = Store(study / "store")
    expected = tiny_study.contents(store.root)
    kinds = one_of_each(store.root)
    assert {kind for kind, _ in kinds} >= {"prepare", "pretrain", "train_target", "train_fusion", "predict", "report"}
    assert {".parquet", "model.safetensors", "stage.json", "report.html"} <= {name for _, name in kinds}
    for path in kinds.values():  # one by one: exactly this stage is named
        right = path.read_bytes()
        damage(path)
        assert [one.path for one in audit(store).damaged] == [folder_of(store.root, path)], path
        path.write_bytes(right)
    for path in kinds.values():  # all at once: every kind of stage is made anew
        damage(path)
    hurt = {folder_of(store.root, path) for path in kinds.values()}
    assert main(["store", "verify", "--set-aside", "--store", str(store.root)]) == 3
    assert not any(folder.exists() for folder in hurt)
    rerun(study)
    assert audit(store).damaged == ()
    assert tiny_study.contents(store.root) == expected
    shutil.rmtree(store.root / "damaged")


def test_damage_that_nobody_looked_for_does_not_reach_a_new_result(study: Path) -> None:
    """No `store verify`: a run hashes what it is about to use."""
    store = Store(study / "store")
    expected = tiny_study.contents(store.root)
    (prediction, model) = (next(iter((store.root / kind).iterdir())) for kind in ("predict", "train_target"))
    inputs = json.loads((prediction / "stage.json").read_text())["stage"]["inputs"]
    source = store.folder(inputs.get("model") or inputs["data"])
    victim = max((path for path in source.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    flip(victim)
    shutil.rmtree(prediction)
    rerun(study)
    assert audit(store).damaged == ()
    assert tiny_study.contents(store.root) == expected
    assert list((store.root / "damaged").glob("*/*"))
    assert model.exists()
