"""What is tried again and what is not, damage in inputs, full disks, secrets of libraries."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, stage

from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.engines.faults import ANY_FIX, fix_for, store_fault
from adapterxfer.engines.inline import run_plan
from adapterxfer.engines.wire import error_as_json
from adapterxfer.errors import DataError, StoreError
from adapterxfer.store.audit import audit
from adapterxfer.store.failures import ATTEMPTS
from adapterxfer.store.store import Store


class Study:
    """A store and one worker."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.events: list[StageEvent] = []
        self.runs = folder / "runs"

    def run(self, plan: FakePlan, *, retry_failed: bool = False, **settings: Any) -> Outcome:
        self.events.clear()
        return run_plan(
            plan,
            self.store,
            jobs=1,
            listener=self.events.append,
            settings={"runs": str(self.runs), **settings},
            registry=REGISTRY,
            retry_failed=retry_failed,
        )

    def started(self) -> list[str]:
        return [event.stage.slug for event in self.events if event.kind == "started"]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_a_failure_is_tried_three_times_and_then_only_on_request(study: Study) -> None:
    bad = stage("refuse", "bad")
    plan = FakePlan([bad, stage("work", "child", bad)])
    for attempt in range(1, ATTEMPTS + 1):
        outcome = study.run(plan)
        assert outcome.failed[bad.key].attempts == attempt
        assert study.started() == ["bad"]
    held = study.run(plan)
    assert (study.started(), held.exit_code, len(held.blocked)) == ([], 1, 1)
    assert held.failed[bad.key].what == "data/x.txt: not there (tried 3 times; not tried again)"
    assert "--retry-failed" in held.failed[bad.key].fix
    assert study.store.failures.read()[bad.short_key].what == "data/x.txt: not there"
    mended = study.run(plan, retry_failed=True, mended=True)
    assert (mended.exit_code, len(mended.finished)) == (0, 2)
    assert study.store.failures.read() == {}


def test_damage_in_an_input_never_reaches_a_result(study: Study) -> None:
    root = stage("work", "root")
    study.run(FakePlan([root]))
    value = study.store.folder(root) / "value.txt"
    right = value.read_bytes()
    value.write_bytes(bytes([right[0] ^ 1]) + right[1:])  # same size: nothing but the hash can tell
    child = stage("work", "child", root)
    outcome = study.run(FakePlan([root, child]))
    assert outcome.exit_code == 0
    assert set(outcome.finished) == {root.key, child.key}
    assert value.read_bytes() == right
    assert audit(study.store).damaged == ()
    assert len(list((study.store.root / "damaged" / "work").iterdir())) == 1
    assert study.store.failures.read() == {}


def test_a_full_disk_stops_the_run_and_blames_no_stage(study: Study) -> None:
    plan = FakePlan([stage("work", "good"), stage("full", "large"), stage("full", "other")])
    with pytest.raises(StoreError, match="disk of the store is full") as caught:
        study.run(plan)
    assert caught.value.exit_code == 3
    assert study.store.failures.read() == {}
    assert list((study.store.root / ".scratch").iterdir()) == []
    assert study.run(plan, mended=True).exit_code == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        RuntimeError("SafetensorError: I/O error: No space left on device (os error 28)"),
    ],
)
def test_errors_of_the_disk_are_the_stores(error: Exception) -> None:
    wrapped = ValueError("could not save")
    wrapped.__cause__ = error
    assert store_fault(error) is not None
    assert store_fault(wrapped) is not None
    assert store_fault(ValueError("x")) is None
    assert store_fault(DataError("No space left on device")) is None


def test_errors_of_libraries_get_a_fix_and_lose_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "very-secret-value")
    shown = error_as_json(RuntimeError("GET https://x/?t=very-secret-value: 401"))
    assert "very-secret" not in "".join(shown.values())
    assert shown["fix"] == ANY_FIX
    assert "memory" in fix_for(MemoryError())
    assert "install" in fix_for(ModuleNotFoundError("x"))
