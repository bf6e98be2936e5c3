"""The inline engine: results, reuse, failures, dying workers, damage."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, diamonds, stage

from adapterxfer.engines import worker
from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.engines.inline import run_plan
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import DataError, StoreError
from adapterxfer.store.store import Store


class Study:
    """A store, a file that counts executions, and all events."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.runs = folder / "runs"
        self.events: list[StageEvent] = []

    def run(self, plan: FakePlan, jobs: int = 2, **settings: Any) -> Outcome:
        self.events.clear()
        return run_plan(
            plan,
            self.store,
            jobs=jobs,
            listener=self.events.append,
            settings={"runs": str(self.runs), **settings},
            registry=REGISTRY,
        )

    def executed(self) -> Counter[str]:
        return Counter(self.runs.read_text().split()) if self.runs.exists() else Counter()

    def told(self, kind: str) -> list[str]:
        return [event.stage.slug for event in self.events if event.kind == kind]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def values(store: Store) -> dict[str, bytes]:
    return {key: (folder / "value.txt").read_bytes() for key, folder in store.completed().items()}


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_stage_runs_once_after_its_inputs_and_never_again(study: Study, jobs: int) -> None:
    plan = diamonds(2)
    outcome = study.run(plan, jobs)
    assert (set(outcome.finished), outcome.reused, outcome.failed) == (set(plan.stages), (), {})
    assert outcome.exit_code == 0
    position = {key: number for number, key in enumerate(outcome.finished)}
    assert all(position[key] > position[i] for key, one in plan.stages.items() for i in one.inputs.values())
    assert set(study.executed().values()) == {1}
    assert len(study.told("started")) == len(study.told("finished")) == 8
    progress = next(event for event in study.events if event.kind == "progress")
    assert {"step", "steps", "loss"} <= set(progress.detail)
    record = study.store.read(outcome.finished[0])
    assert record.artefacts.keys() == {"half.txt", "log.jsonl", "value.txt"}
    assert record.provenance["attempt"] == 1
    assert (record.folder / "log.jsonl").read_text().count("\n") == 3
    assert list((study.store.root / ".locks").iterdir()) == []

    again = study.run(plan, jobs)
    assert (again.finished, set(again.reused)) == ((), set(plan.stages))
    assert again.folders == outcome.folders
    assert set(study.executed().values()) == {1}
    assert study.told("started") == []


def test_number_of_workers_does_not_change_results(tmp_path: Path) -> None:
    one, three = Study(tmp_path / "one"), Study(tmp_path / "three")
    for study, jobs in ((one, 1), (three, 3)):
        study.runs.parent.mkdir()
        study.run(diamonds(2), jobs)
    assert values(one.store) == values(three.store)


def test_failed_stage_blocks_its_dependents_only(study: Study) -> None:
    good = stage("work", "good")
    bad = stage("refuse", "bad")
    child = stage("work", "child", good, bad)
    grandchild = stage("work", "grandchild", child)
    other = stage("work", "other", good)
    plan = FakePlan([good, bad, child, grandchild, other])
    outcome = study.run(plan)
    assert set(outcome.finished) == {good.key, other.key}
    assert outcome.blocked == {child.key: bad.key, grandchild.key: bad.key}
    assert outcome.exit_code == 1
    failure = outcome.failed[bad.key]
    assert (failure.error, failure.what, failure.fix, failure.attempts) == (
        "DataError",
        "data/x.txt: not there",
        "put it there",
        1,
    )
    assert list(failure.log) == [f'{{"step": {step}}}' for step in range(10, 60)]
    assert "refuse" in failure.traceback
    assert study.told("failed") == ["bad"]
    assert set(study.told("blocked")) == {"child", "grandchild"}
    assert study.store.failures.read()[bad.short_key].what == failure.what
    assert list((study.store.root / ".scratch").iterdir()) == []

    mended = study.run(plan, mended=True)
    assert set(mended.finished) == {bad.key, child.key, grandchild.key}
    assert mended.exit_code == 0
    assert study.store.failures.read() == {}


@pytest.mark.parametrize(
    ("kind", "error", "what"),
    [
        ("crash", "ZeroDivisionError", "division by zero"),
        ("leave", "SystemExit", "4"),
        ("unknown", "StageError", "stage kind 'unknown': no executor"),
    ],
)
def test_whatever_is_raised_is_recorded_and_the_worker_goes_on(study: Study, kind: str, error: str, what: str) -> None:
    bad, good = stage(kind, "bad"), stage("work", "good")
    outcome = study.run(FakePlan([bad, good]), jobs=1)
    assert outcome.failed[bad.key].error == error
    assert outcome.failed[bad.key].what.startswith(what)
    assert outcome.finished == (good.key,)


def test_dead_worker_is_replaced_and_its_stage_tried_again(study: Study) -> None:
    victim, neighbour = stage("die_once", "victim"), stage("work", "neighbour", sleep_s=0.5)
    child = stage("work", "child", victim)
    outcome = study.run(FakePlan([victim, neighbour, child]))
    assert outcome.exit_code == 0
    assert study.told("retried") == ["victim"]
    assert study.executed() == {"victim": 1, "neighbour": 1, "child": 1}
    assert study.store.read(victim).provenance["attempt"] == 2
    assert study.store.read(neighbour).provenance["attempt"] == 1


@pytest.mark.parametrize(
    ("kind", "cause", "log"), [("die", "signal 9", '{"step": 7}'), ("abort", "signal 6", "last words")]
)
def test_stage_that_kills_three_workers_has_failed(study: Study, kind: str, cause: str, log: str) -> None:
    bad = stage(kind, "bad")
    child, good = stage("work", "child", bad), stage("work", "good")
    outcome = study.run(FakePlan([bad, child, good]))
    failure = outcome.failed[bad.key]
    assert (failure.error, failure.attempts) == ("WorkerDied", 3)
    assert cause in failure.what
    assert log in failure.log
    assert outcome.blocked == {child.key: bad.key}
    assert outcome.finished == (good.key,)
    assert len(study.told("retried")) == 2
    assert list((study.store.root / ".scratch").iterdir()) == []


def test_damaged_result_is_set_aside_and_made_again(study: Study) -> None:
    plan = diamonds(1)
    first = study.run(plan)
    before = values(study.store)
    torn, gone = list(first.folders.values())[:2]
    (torn / "value.txt").write_text("sho")
    (gone / "stage.json").unlink()
    again = study.run(plan)
    assert len(again.finished) == 2
    assert values(study.store) == before
    assert len(list((study.store.root / "damaged" / "work").iterdir())) == 2


def test_workers_use_one_thread_live_long_and_import_nothing_heavy_themselves(study: Study) -> None:
    plan = FakePlan([stage("environment", f"e{number}") for number in range(6)])
    outcome = study.run(plan, jobs=2)
    results = [study.store.read(key).result for key in outcome.finished]
    assert {result["threads"] for result in results} == {"1"}
    assert {result["torch"] for result in results} == {False}
    assert len({result["process"] for result in results}) <= 2


def test_free_memory_goes_back_after_every_stage_that_ran(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(worker, "give_back", lambda: given.append(True))
    study.store.open()
    for _ in range(2):
        run_stage(stage("work", "root"), store=study.store, settings={"runs": str(study.runs)}, registry=REGISTRY)
    assert given == [True], "the second time it was there"


def test_one_stage_alone_in_this_process(study: Study) -> None:
    study.store.open()
    root = stage("work", "root")
    child = stage("work", "child", root)
    settings = {"runs": str(study.runs)}
    with pytest.raises(StoreError, match="not in the store"):
        run_stage(child, store=study.store, settings=settings, registry=REGISTRY)
    lines: list[Any] = []
    end = run_stage(root, store=study.store, settings=settings, registry=REGISTRY, report=lines.append)
    assert (end.status, len(lines)) == ("finished", 3)
    assert run_stage(child, store=study.store, settings=settings, registry=REGISTRY).folder == study.store.folder(child)
    assert run_stage(root, store=study.store, settings=settings, registry=REGISTRY).status == "reused"
    with pytest.raises(DataError, match="not there"):
        run_stage(stage("refuse", "bad"), store=study.store, settings=settings, registry=REGISTRY)
    assert study.executed() == {"root": 1, "child": 1}


def test_listener_that_raises_leaves_no_worker(study: Study) -> None:
    def listen(event: StageEvent) -> None:
        if event.kind == "started":
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_plan(diamonds(1), study.store, jobs=2, listener=listen, registry=REGISTRY)
    assert list((study.store.root / ".scratch").iterdir()) == []


def test_jobs_must_be_positive(study: Study) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        study.run(diamonds(1), jobs=0)


def test_drivers_and_store_import_no_torch() -> None:
    code = "import sys, adapterxfer.engines.inline, adapterxfer.engines.probe, adapterxfer.stages.registry\n"
    code += "print(sorted({'torch', 'transformers', 'numpy', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_a_dead_worker_leaves_while_others_run_is_removed(study: Study) -> None:
    """A worker whose driver was killed can outlive the beginning of the next run; its lock falls with it."""
    left = study.store.root / ".scratch" / "0123456789abcdef-dead0000"

    def listen(event: StageEvent) -> None:
        if event.kind == "finished":
            left.mkdir(parents=True, exist_ok=True)

    settings = {"runs": str(study.runs)}
    outcome = run_plan(diamonds(1), study.store, jobs=2, listener=listen, settings=settings, registry=REGISTRY)
    assert not outcome.failed
    assert not left.exists()
