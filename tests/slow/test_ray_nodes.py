"""Ray with two nodes on this machine: a node and a driver that die in the middle of a plan."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, diamonds

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
    import os
    import sys

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
