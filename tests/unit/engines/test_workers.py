"""How many worker processes of a run there are: as many as have something to do, have room, and were asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, diamonds, stage

from adapterxfer.engines import inline
from adapterxfer.engines.inline import run_plan
from adapterxfer.engines.pool import Worker
from adapterxfer.store.store import Store


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the workers that were started."""
    numbers: list[int] = []

    class Counted(Worker):
        def __init__(self, number: int, *arguments: Any) -> None:
            numbers.append(number)
            super().__init__(number, *arguments)

    monkeypatch.setattr(inline, "Worker", Counted)
    return numbers


def ran(plan: FakePlan, folder: Path, jobs: int) -> None:
    outcome = run_plan(
        plan, Store(folder / "store"), jobs=jobs, settings={"runs": str(folder / "runs")}, registry=REGISTRY
    )
    assert outcome.exit_code == 0
    assert set(outcome.finished) == set(plan.stages)


def test_stages_that_wait_for_each_other_have_one_worker(tmp_path: Path, started: list[int]) -> None:
    first = stage("work", "first")
    second = stage("work", "second", first)
    ran(FakePlan([first, second, stage("work", "third", second)]), tmp_path, jobs=4)
    assert started == [0]


def test_one_more_starts_when_a_stage_is_ready_and_none_is_idle(tmp_path: Path, started: list[int]) -> None:
    ran(diamonds(1, sleep_s=0.3), tmp_path, jobs=4)
    assert started == [0, 1], "the middles of a diamond run side by side"


def test_no_more_than_were_asked_for(tmp_path: Path, started: list[int]) -> None:
    ran(FakePlan([stage("work", f"lonely{number}") for number in range(5)]), tmp_path, jobs=2)
    assert started == [0, 1]


def test_none_for_which_there_is_no_memory(tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "available_gb", lambda: 12.0)
    large = [
        replace(stage("work", f"large{number}"), resources={"estimated_memory_gb": 8.0}, key="") for number in range(3)
    ]
    ran(FakePlan(large), tmp_path, jobs=3)
    assert started == [0]
