"""What does an engine cost per stage? The same small stages under several engines, and plans that grow.

    python scripts/benchmark_engines.py --engines inline ray --stages 200 --seconds 0.1 --jobs 2 --nodes 2
    python scripts/benchmark_engines.py --engines ray --stages 1000 5000 20000 --seconds 0

Prints one JSON line per engine and size, each measured in a process of its own on an empty store: wall time, overhead
per stage beyond the work itself, memory of the driver, and of the cluster's own processes where it has any. With
``--nodes`` Ray gets that many nodes on this machine, which share the jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapterxfer.engines.choice import choose_engine
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

REGISTRY = {"idle": "benchmark_engines:idle"}
WIDTH = 10
"""Stages that wait for the same one: as many targets share an intermediate model."""


def idle(context: StageContext) -> dict[str, Any]:
    """A stage that only takes time."""
    time.sleep(context.stage.identity["seconds"])
    (context.scratch / "value.txt").write_text(str(context.stage.identity["number"]))
    return {}


class GrownPlan:
    """``count`` stages: every eleventh is an input of the ten that follow it."""

    def __init__(self, count: int, seconds: float) -> None:
        self.stages: dict[str, Stage] = {}
        root: Stage | None = None
        for number in range(count):
            needed = {"root": root.key} if root is not None and number % (WIDTH + 1) else {}
            stage = Stage(
                kind="idle",
                version=1,
                identity={"number": number, "seconds": seconds},
                inputs=needed,
                slug=f"n{number}",
            )
            root = root if needed else stage
            self.stages[stage.key] = stage


def main() -> int:
    """Measure every engine with every number of stages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=["inline"], choices=("inline", "ray", "slurm"))
    parser.add_argument("--engine-set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--stages", nargs="+", type=int, default=[200])
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=1, help="nodes of a Ray cluster on this machine")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Stage processes must find the executor in this file.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    if arguments.here:
        chosen = dict(entry.split("=", 1) for entry in arguments.engine_set)
        print(json.dumps(measure(arguments.engines[0], chosen, arguments.stages[0], arguments)), flush=True)
        return 0
    code = 0
    for engine in arguments.engines:
        chosen_words = [word for entry in arguments.engine_set for word in ("--engine-set", entry)]
        for count in arguments.stages:
            command = [sys.executable, __file__, "--here", "--engines", engine, "--stages", str(count)]
            command += ["--seconds", str(arguments.seconds), "--jobs", str(arguments.jobs)]
            command += ["--nodes", str(arguments.nodes), *(chosen_words if engine != "inline" else [])]
            code = max(code, subprocess.run(command, check=False).returncode)
    return code


def measure(engine: str, chosen: dict[str, str], count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One plan under one engine, on an empty store."""
    plan = GrownPlan(count, arguments.seconds)
    with tempfile.TemporaryDirectory() as folder, cluster(engine, arguments):
        run = choose_engine(engine, chosen)
        started = time.perf_counter()
        outcome = run(plan, Store(Path(folder) / "store"), jobs=arguments.jobs, registry=REGISTRY)
        seconds = time.perf_counter() - started
        others = memory_below(os.getpid())
    work = count * arguments.seconds / arguments.jobs
    return {
        "engine": engine,
        "stages": count,
        "finished": len(outcome.finished),
        "seconds": round(seconds, 2),
        "work_seconds": round(work, 2),
        "overhead_ms_per_stage": round(1000 * (seconds - work) / count, 2),
        "cpu_ms_per_stage": round(1000 * cpu_seconds() / count, 2),
        "driver_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "processes_left_mib": others,
    }


def cpu_seconds() -> float:
    """Processor time of this process and of those it started and saw end; Ray's own processes are not among them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def cluster(engine: str, arguments: argparse.Namespace) -> Iterator[None]:
    """Ray nodes on this machine that share the jobs, as separate machines would; nothing for other engines."""
    if engine != "ray" or arguments.nodes < 2:
        yield
        return
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": max(1, arguments.jobs // arguments.nodes), "object_store_memory": 80 * 1024 * 1024}
    made = Cluster(initialize_head=True, head_node_args=dict(node))
    for _ in range(arguments.nodes - 1):
        made.add_node(**node)
    environment = {"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}}
    ray.init(address=made.address, log_to_driver=False, runtime_env=environment)
    try:
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def memory_below(process: int) -> dict[str, int]:
    """MiB of resident memory of the processes below this one, by program."""
    found: dict[str, int] = {}
    queue = [process]
    while queue:
        parent = queue.pop()
        try:
            below = [int(one) for one in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
            name = Path(f"/proc/{parent}/comm").read_text().strip()
            pages = int(Path(f"/proc/{parent}/statm").read_text().split()[1])
        except OSError:
            continue
        queue += below
        if parent != process:
            found[name] = found.get(name, 0) + pages * resource.getpagesize() // 1024**2
    return found


if __name__ == "__main__":
    sys.exit(main())
