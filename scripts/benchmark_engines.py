"""What does an engine cost per stage? The same small stages under several engines, and plans that grow.

    python scripts/benchmark_engines.py --engines inline ray --stages 200 --seconds 0.1 --jobs 2
    python scripts/benchmark_engines.py --engines ray --stages 1000 5000 20000 --seconds 0

Prints one JSON line per engine and size: wall time, overhead per stage beyond the work itself, memory of the driver.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
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
        root = None
        for number in range(count):
            needed = {"root": root.key} if root is not None and number % (WIDTH + 1) else {}
            stage = Stage("idle", 1, {"number": number, "seconds": seconds}, needed, slug=f"n{number}")
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
    arguments = parser.parse_args()
    # Stage processes must find the executor in this file.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    for engine in arguments.engines:
        chosen = dict(entry.split("=", 1) for entry in arguments.engine_set) if engine != "inline" else {}
        for count in arguments.stages:
            print(json.dumps(measure(engine, chosen, count, arguments)), flush=True)
    return 0


def measure(engine: str, chosen: dict[str, str], count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One plan under one engine, on an empty store."""
    plan = GrownPlan(count, arguments.seconds)
    with tempfile.TemporaryDirectory() as folder:
        run = choose_engine(engine, chosen)
        started = time.perf_counter()
        outcome = run(plan, Store(Path(folder) / "store"), jobs=arguments.jobs, registry=REGISTRY)
        seconds = time.perf_counter() - started
    work = count * arguments.seconds / arguments.jobs
    return {
        "engine": engine,
        "stages": count,
        "finished": len(outcome.finished),
        "seconds": round(seconds, 2),
        "work_seconds": round(work, 2),
        "overhead_ms_per_stage": round(1000 * (seconds - work) / count, 2),
        "driver_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    sys.exit(main())
