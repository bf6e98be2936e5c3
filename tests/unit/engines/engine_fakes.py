"""A tiny study for engine tests: executors that workers import, a plan, and a driver that can be killed.

Run as a script: ``python engine_fakes.py STORE RUNS JOBS SECONDS_PER_STAGE [DIAMONDS] [ENGINE] [ADDRESS]`` runs the
plan, to be killed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapterxfer.errors import DataError, StageStopped
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage

REGISTRY = {
    name: f"engine_fakes:{name}"
    for name in (
        "work",
        "refuse",
        "crash",
        "die",
        "die_once",
        "slow_once",
        "hungry",
        "train_ranked",
        "abort",
        "leave",
        "environment",
        "train_environment",
        "full",
        "empty",
        "patient",
    )
}


class FakePlan:
    def __init__(self, stages: Iterable[Stage]) -> None:
        self.stages = {stage.key: stage for stage in stages}


def stage(kind: str, name: str, *inputs: Stage, **identity: Any) -> Stage:
    roles = {f"input.{number}": other.key for number, other in enumerate(inputs)}
    return Stage(kind=kind, version=1, identity={"name": name, **identity}, inputs=roles, slug=name)


def diamonds(count: int, sleep_s: float = 0.0) -> FakePlan:
    """``count`` times: a root, two middles, one end."""
    stages: list[Stage] = []
    for number in range(count):
        root = stage("work", f"root{number}", sleep_s=sleep_s)
        left, right = (stage("work", f"{side}{number}", root, sleep_s=sleep_s) for side in ("left", "right"))
        stages += [root, left, right, stage("work", f"end{number}", left, right, sleep_s=sleep_s)]
    return FakePlan(stages)


def note(context: StageContext) -> None:
    """One line for each execution, in a file beside the store; short appends are atomic."""
    with Path(context.settings["runs"]).open("a", encoding="utf-8") as file:
        file.write(f"{context.stage.identity['name']}\n")


def work(context: StageContext) -> dict[str, Any]:
    parts = [(context.inputs[role] / "value.txt").read_text() for role in sorted(context.inputs)]
    value = hashlib.sha256(json.dumps([context.stage.identity["name"], parts]).encode()).hexdigest()
    (context.scratch / "half.txt").write_text("first")
    for step in range(3):
        context.log({"step": step, "steps": 3, "loss": 1.0 / (step + 1)})
        time.sleep(context.stage.identity.get("sleep_s", 0.0) / 3)
    print("a library that prints between the messages")  # noqa: T201
    (context.scratch / "value.txt").write_text(value)
    note(context)
    return {"value": value[:8]}


def refuse(context: StageContext) -> dict[str, Any]:
    if context.settings.get("mended"):
        return work(context)
    for step in range(60):
        context.log({"step": step})
    raise DataError("data/x.txt: not there", fix="put it there")


def crash(context: StageContext) -> dict[str, Any]:
    raise ZeroDivisionError("division by zero")


def die(context: StageContext) -> dict[str, Any]:
    context.log({"step": 7})
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_once(context: StageContext) -> dict[str, Any]:
    marker = Path(context.settings["runs"]).with_name("died")
    if not marker.exists():
        marker.touch()
        die(context)
    return work(context)


def slow_once(context: StageContext) -> dict[str, Any]:
    """Takes longer than any limit the first time."""
    marker = Path(context.settings["runs"]).with_name("began")
    if not marker.exists():
        marker.touch()
        context.log({"step": 1, "steps": 300})
        time.sleep(300)
    return work(context)


def hungry(context: StageContext) -> dict[str, Any]:
    """Asks for more memory than the system gives it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 * 1024**3, hard))
    try:
        return {"bytes": len(bytearray(8 * 1024**3))}
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def train_ranked(context: StageContext) -> dict[str, Any]:
    """What every process of a stage on several devices sees; one of them may fail, or all wait to be stopped."""
    rank = int(os.environ["RANK"])
    context.log({"step": 1, "rank": rank})
    (context.scratch / "value.txt").write_text(f"rank {rank}")
    if context.stage.identity.get("refuses") == rank:
        raise DataError(f"rank {rank}: not there", fix="put it there")
    while context.stage.identity.get("waits"):
        time.sleep(0.05)
        if context.stop():
            raise StageStopped("saved")
    return {"rank": rank, "world": int(os.environ["WORLD_SIZE"]), "threads": os.environ["OMP_NUM_THREADS"]}


def abort(context: StageContext) -> dict[str, Any]:
    print("last words", flush=True)  # noqa: T201
    os.abort()


def leave(context: StageContext) -> dict[str, Any]:
    sys.exit(4)


def full(context: StageContext) -> dict[str, Any]:
    if context.settings.get("mended"):
        return work(context)
    raise OSError(errno.ENOSPC, "No space left on device")


def empty(context: StageContext) -> dict[str, Any]:
    return {}


def patient(context: StageContext) -> dict[str, Any]:
    """Counts to 40, in two seconds unless told otherwise; saves where it is when asked to stop."""
    assert context.resume is not None
    saved = context.resume / "at"
    start = int(saved.read_text()) if saved.exists() else 0
    for step in range(start, 40):
        context.log({"step": step, "steps": 40})
        time.sleep(context.stage.identity.get("step_s", 0.05))
        if context.stop():
            context.resume.mkdir(parents=True, exist_ok=True)
            saved.write_text(str(step + 1))
            raise StageStopped("saved")
    (context.scratch / "value.txt").write_text("40")
    note(context)
    return {"started_at": start}


def environment(context: StageContext) -> dict[str, Any]:
    facts = {"threads": os.environ["OMP_NUM_THREADS"], "torch": "torch" in sys.modules, "process": os.getpid()}
    time.sleep(context.stage.identity.get("sleep_s", 0.0))
    return {**facts, "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}


train_environment = environment


def main() -> int:
    from adapterxfer.engines.choice import choose_engine
    from adapterxfer.store.store import Store

    store, runs, jobs, sleep_s, *more = sys.argv[1:]
    plan = diamonds(int(more[0]) if more else 3, sleep_s=float(sleep_s))
    if sleep_s == "-1":  # one stage that can save where it is, one that cannot
        plan = FakePlan([stage("patient", "long"), stage("work", "deaf", sleep_s=30.0)])
    outcome = choose_engine(more[1] if more[1:] else "inline", {"address": more[2]} if more[2:] else {})(
        plan,
        Store(store),
        jobs=int(jobs),
        listener=lambda event: print(event.kind, event.stage.slug, flush=True),  # noqa: T201
        settings={"runs": runs},
        registry=REGISTRY,
    )
    assert "torch" not in sys.modules
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
