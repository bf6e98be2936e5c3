"""Ray on this machine: a node that dies, a driver that is killed, a driver that is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, diamonds, stage

from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

ray = pytest.importorskip("ray", reason="extra 'ray' is not installed")

NODE = {"num_cpus": 2, "object_store_memory": 80 * 1024 * 1024}


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=dict(NODE))
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_lost_node_costs_its_stages_in_flight_only(cluster: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from adapterxfer.engines.ray import RaySettings, run_plan

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    node = cluster.add_node(**NODE)
    ray.init(
        address=cluster.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}},
    )
    store, runs, plan = Store(tmp_path / "store"), tmp_path / "runs", diamonds(6, sleep_s=0.6)
    killer = threading.Timer(4.0, lambda: cluster.remove_node(node, allow_graceful=False))
    killer.start()
    started = time.perf_counter()
    outcome = run_plan(
        plan, store, jobs=4, settings={"runs": str(runs)}, registry=REGISTRY, ray_settings=RaySettings(cluster.address)
    )
    killer.join()
    assert outcome.exit_code == 0, outcome.failed
    assert time.perf_counter() - started > 4.0, "the node died after the end"
    assert set(outcome.folders) == set(plan.stages)
    assert max(Counter(runs.read_text().split()).values()) <= 2
    assert audit(store).damaged == ()


DRIVER = """
import sys
from engine_fakes import REGISTRY, FakePlan, diamonds, stage
from adapterxfer.engines.ray import run_plan
from adapterxfer.store.store import Store
plan = FakePlan([stage("patient", "long", step_s=0.25)]) if sys.argv[3] == "long" else diamonds(4, sleep_s=1.0)
outcome = run_plan(plan, Store(sys.argv[1]), jobs=2, settings={"runs": sys.argv[2]}, registry=REGISTRY,
                   listener=lambda event: print(event.kind, event.stage.slug, flush=True))
sys.exit(outcome.exit_code)
"""


def start(folder: Path, plan: str) -> subprocess.Popen[str]:
    """A driver with a cluster of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*(path for path in sys.path if path)])}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder / "store"), str(folder / "runs"), plan],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_a_killed_driver_costs_its_stages_in_flight_only(tmp_path: Path) -> None:
    driver = start(tmp_path, "diamonds")
    assert driver.stdout is not None
    seen = 0
    while seen < 3:
        line = driver.stdout.readline()
        assert line, "the driver ended too early"
        seen += line.startswith("finished")
    driver.kill()
    driver.communicate()
    store, plan = Store(tmp_path / "store"), diamonds(4, sleep_s=1.0)
    kept = {key: folder.stat().st_ino for key, folder in store.completed().items()}
    assert 3 <= len(kept) < len(plan.stages)
    again = start(tmp_path, "diamonds")
    output, _ = again.communicate(timeout=300)
    assert again.returncode == 0, output
    assert set(store.completed()) == {key[:16] for key in plan.stages}
    assert {key: folder.stat().st_ino for key, folder in store.completed().items() if key in kept} == kept
    assert audit(store).damaged == ()


def test_a_driver_asked_to_stop_lets_trainings_save(tmp_path: Path) -> None:
    driver = start(tmp_path, "long")
    store, long = Store(tmp_path / "store"), stage("patient", "long", step_s=0.25)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "store" / ".scratch").glob("*/log.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(1.5)
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=120)
    assert driver.returncode == 75
    assert store.resume_folder(long).is_dir()
    assert not list((tmp_path / "store" / ".runs").glob("*.stop"))
    again = start(tmp_path, "long")
    again.communicate(timeout=300)
    assert again.returncode == 0
    assert 0 < store.read(long).result["started_at"] < 40
