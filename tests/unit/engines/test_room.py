"""Stages start when there is memory for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from engine_fakes import REGISTRY, FakePlan
from engine_fakes import stage as work

from adapterxfer.engines.events import StageEvent
from adapterxfer.engines.inline import run_plan
from adapterxfer.engines.room import GIB, Room, available_gb
from adapterxfer.engines.schedule import Schedule
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store


def stage(number: int, gb: float, backbone: str = "") -> Stage:
    return Stage(
        kind="train_target", version=1, identity={"number": number, "backbone": {"name": backbone}}, inputs={},
        resources={"estimated_memory_gb": gb, "cost": 100.0 - number},
    )  # fmt: skip


def machine(root: Path, free_gb: float) -> None:
    (root / "proc").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {int(free_gb * 2**20)} kB\n", encoding="ascii")


def test_two_large_stages_do_not_meet() -> None:
    room, (first, second, small) = Room(12.0), (stage(1, 8.0), stage(2, 8.0), stage(3, 2.0))
    assert room.fits(first)
    room.promise(first)
    assert not room.fits(second)
    assert room.fits(small)
    room.promise(small)
    room.give_back(first)
    assert room.fits(second)


def test_a_stage_larger_than_everything_runs_alone() -> None:
    room, (huge, small) = Room(12.0), (stage(1, 20.0), stage(2, 1.0))
    assert room.is_too_large(huge)
    assert room.fits(huge)
    room.promise(huge)
    assert not room.fits(small)
    room.give_back(huge)
    room.promise(small)
    assert not room.fits(huge)


def test_without_a_limit_everything_fits() -> None:
    room = Room(None)
    room.promise(stage(1, 1e6))
    assert room.fits(stage(2, 1e6))
    assert not room.is_too_large(stage(2, 1e6))


def test_a_declared_size_wins() -> None:
    declared = Stage(
        kind="predict", version=1, identity={}, inputs={}, resources={"memory_gb": 50, "estimated_memory_gb": 1}
    )
    assert Room(12.0).is_too_large(declared)


def test_the_schedule_holds_back_what_does_not_fit() -> None:
    stages = {made.key: made for made in (stage(1, 8.0, "a"), stage(2, 8.0, "a"), stage(3, 2.0, "b"))}
    first, second, small = stages.values()
    schedule, room = Schedule(stages, set()), Room(12.0)
    assert schedule.take("", room.fits) == first
    room.promise(first)
    assert schedule.take("a", room.fits) == small
    room.promise(small)
    assert schedule.take("a", room.fits) is None
    assert len(schedule) == 1
    room.give_back(first)
    assert schedule.take("a", room.fits) == second


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 20.0),
        ({"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": f"{GIB}\n"}, 20.0),
        ({"sys/fs/cgroup/memory.max": f"{8 * GIB}\n", "sys/fs/cgroup/memory.current": f"{3 * GIB}\n"}, 5.0),
        (
            {
                "sys/fs/cgroup/memory.max": f"{8 * GIB}\n",
                "sys/fs/cgroup/memory.current": f"{3 * GIB}\n",
                "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {2 * GIB}\n",
            },
            7.0,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{6 * GIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{2 * GIB}\n",
            },
            4.0,
        ),
    ],
)
def test_the_smaller_of_machine_and_control_group_counts(tmp_path: Path, files: dict[str, str], free: float) -> None:
    machine(tmp_path, 20.0)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    assert available_gb(tmp_path) == pytest.approx(free, abs=0.01)


def test_a_system_that_says_nothing_has_no_limit(tmp_path: Path) -> None:
    assert available_gb(tmp_path) is None


def test_a_run_keeps_within_a_limit_of_12_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterxfer.engines.inline.available_gb", lambda: 12.0)
    needs = {"huge": 30.0, "one": 8.0, "two": 8.0, "three": 2.0, "four": 2.0}
    plan = FakePlan(
        replace(work("work", name, sleep_s=0.05), resources={"estimated_memory_gb": gb}) for name, gb in needs.items()
    )
    running: set[str] = set()
    most, told, together = 0.0, [], 0

    def listener(event: StageEvent) -> None:
        nonlocal most, together
        if event.kind == "tight":
            told.append((event.stage.slug, event.detail["needed_gb"]))
        if event.kind == "started":
            running.add(event.stage.slug)
        elif event.kind == "finished":
            running.remove(event.stage.slug)
        if running != {"huge"}:
            most = max(most, sum(needs[name] for name in running))
            together = max(together, len(running))

    settings = {"runs": str(tmp_path / "runs")}
    outcome = run_plan(plan, Store(tmp_path / "store"), jobs=3, listener=listener, settings=settings, registry=REGISTRY)
    assert len(outcome.finished) == 5
    assert most <= 12.0
    assert together >= 2
    assert told == [("huge", 30.0)]
