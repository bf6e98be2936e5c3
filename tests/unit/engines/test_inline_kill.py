"""Drivers that are killed or interrupted, and drivers that share a store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import engine_fakes
import numpy as np
import pytest
from engine_fakes import diamonds

from adapterxfer.store.store import Store

DRIVER = Path(__file__).with_name("engine_fakes.py")
STAGES = 12
LONG = engine_fakes.stage("patient", "long").short_key


def start(folder: Path, sleep_s: float = 0.06) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), str(folder / "store"), str(folder / "runs"), "2", str(sleep_s)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(driver: subprocess.Popen[str]) -> tuple[int, str]:
    output, errors = driver.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    return driver.returncode, output


def wait_for(driver: subprocess.Popen[str], kind: str, times: int) -> None:
    assert driver.stdout is not None
    while times:
        line = driver.stdout.readline()
        assert line, "the driver ended too early"
        times -= line.startswith(kind)


def workers_of(store: Path) -> list[int]:
    """Processes that have a lock of this store open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(link.startswith(str(store / ".locks")) for link in links):
            found.append(int(process.name))
    return found


def values(folder: Path) -> dict[str, bytes]:
    return {key: (path / "value.txt").read_bytes() for key, path in Store(folder / "store").completed().items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    code, output = finish(start(folder))
    assert code == 0, output
    found = values(folder)
    assert len(found) == STAGES
    return found


def check_complete(folder: Path, undisturbed: dict[str, bytes]) -> None:
    store = Store(folder / "store")
    assert values(folder) == undisturbed
    for stage in diamonds(3, sleep_s=0.06).stages.values():
        assert store.intact(store.folder(stage), stage, rehash=True) == ""
    assert list((store.root / ".scratch").iterdir()) == []
    assert not (store.root / "damaged").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for processes in /proc")
def test_workers_in_a_long_stage_end_with_their_driver(tmp_path: Path) -> None:
    driver = start(tmp_path, sleep_s=90.0)
    wait_for(driver, "progress", 2)
    assert workers_of(tmp_path / "store")
    driver.kill()
    driver.communicate()
    deadline = time.monotonic() + 20
    while workers_of(tmp_path / "store"):
        assert time.monotonic() < deadline, "orphans"
        time.sleep(0.02)


def test_run_after_a_killed_one_continues(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    driver = start(tmp_path)
    wait_for(driver, "finished", 3)
    driver.kill()
    driver.communicate()
    kept = values(tmp_path)
    assert 3 <= len(kept) < STAGES
    code, output = finish(start(tmp_path))
    assert code == 0
    assert output.count("reused ") == len(kept)
    check_complete(tmp_path, undisturbed)


def test_random_kills_lose_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        driver = start(tmp_path)
        time.sleep(rng.uniform(0.05, 0.6))
        driver.kill()
        driver.communicate()
    assert finish(start(tmp_path))[0] == 0
    check_complete(tmp_path, undisturbed)
    # A killed run may have executed a stage without committing it; a committed one is never executed again.
    runs = Counter((tmp_path / "runs").read_text().split())
    assert len(runs) == STAGES
    assert max(runs.values()) <= 9


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_signal_ends_the_run_and_keeps_what_is_done(
    tmp_path: Path, undisturbed: dict[str, bytes], number: signal.Signals, code: int
) -> None:
    driver = start(tmp_path)
    wait_for(driver, "finished", 2)
    driver.send_signal(number)
    ended, output = finish(driver)
    assert ended == code
    assert "failed" not in output
    assert list((tmp_path / "store" / ".scratch").iterdir()) == []
    assert 2 <= len(values(tmp_path)) < STAGES
    assert finish(start(tmp_path))[0] == 0
    check_complete(tmp_path, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stage_that_listens_saves_before_the_run_ends(tmp_path: Path, number: signal.Signals) -> None:
    driver = start(tmp_path, sleep_s=-1)
    wait_for(driver, "progress long", 3)
    began = time.monotonic()
    driver.send_signal(number)
    driver.send_signal(number)  # schedulers repeat themselves
    ended, output = finish(driver)
    assert ended == 75
    assert time.monotonic() - began < 20, "the stage that cannot save was waited for"
    assert "failed" not in output
    store = Store(tmp_path / "store")
    (saved,) = (store.root / ".resume").glob("*/at")
    at = int(saved.read_text())
    assert 1 <= at < 40
    assert store.completed() == {}
    assert list((store.root / ".scratch").iterdir()) == []

    driver = start(tmp_path, sleep_s=-1)
    wait_for(driver, "finished long", 1)
    driver.kill()
    driver.communicate()
    (folder,) = store.completed().values()
    assert store.read(folder).result == {"started_at": at}
    assert not saved.parent.exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds worker processes in /proc")
def test_a_worker_that_is_signalled_alone_goes_on_from_what_it_saved(tmp_path: Path) -> None:
    driver = start(tmp_path, sleep_s=-1)
    wait_for(driver, "progress long", 3)
    # Only the stage that listens: the other worker would die and be replaced.
    (lock,) = [path for path in (tmp_path / "store" / ".locks").glob("*.lock") if path.stem == LONG]
    for worker in workers_of(tmp_path / "store"):
        links = [str(entry.readlink()) for entry in Path(f"/proc/{worker}/fd").iterdir()]
        if str(lock) in links and worker != driver.pid:
            os.kill(worker, signal.SIGTERM)
    wait_for(driver, "retried long", 1)
    wait_for(driver, "finished long", 1)
    driver.kill()
    driver.communicate()
    store = Store(tmp_path / "store")
    assert store.read(store.completed()[LONG]).result["started_at"] > 0
    assert not list((store.root / "failed").glob("*"))


def test_drivers_that_share_a_store_never_do_the_same_stage_twice(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    drivers = [start(tmp_path) for _ in range(3)]
    outputs = [finish(driver) for driver in drivers]
    assert [code for code, _ in outputs] == [0, 0, 0]
    runs = Counter((tmp_path / "runs").read_text().split())
    assert len(runs) == STAGES
    assert set(runs.values()) == {1}
    for _, output in outputs:
        ended = [line for line in output.splitlines() if line.startswith(("finished", "reused"))]
        assert len(ended) == STAGES
    check_complete(tmp_path, undisturbed)
