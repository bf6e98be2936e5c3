"""Measure how fast this machine trains and predicts, for the estimates of a plan."""

from __future__ import annotations

from pathlib import Path

from adapterxfer.api.running import default_jobs
from adapterxfer.plan import Plan
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.speed import LAYERS, LENGTH, Rates, gflops, write_speed


def measure_speed(plan: Plan, store: str | Path, *, jobs: int | None = None, seconds: float = 1.0) -> Rates:
    """Time layers of the widths of a plan's backbones on random weights, and keep the speeds in the store.

    Args:
        plan: whose backbones count; those whose width is unknown are left out.
        store: where ``speed.json`` is written.
        jobs: processes that work at once; the number of cores if absent, as in a run.
        seconds: of each of three ways of working at each width, at least.

    Raises:
        StageError: a process died, e.g. because memory ran out.
        StoreError: the store cannot be written.
    """
    from adapterxfer.engines.probe import measure_work

    shapes = CostModel(plan.recipe, Backbones(plan.recipe).described).shapes
    widths = sorted({hidden for hidden, _ in shapes.values() if hidden})
    processes = jobs or default_jobs()
    speeds = measure_work(widths, jobs=processes, layers=LAYERS, length=LENGTH, seconds=seconds)
    rates = {
        hidden: {way: gflops(way, hidden, speed) for way, speed in ways.items()} for hidden, ways in speeds.items()
    }
    write_speed(Path(store), rates, processes=processes)
    return rates
