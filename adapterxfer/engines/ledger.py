"""What every engine keeps book of: which stages have results, which failed, and what they block."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.engines.events import EventKind, Listener, Outcome, PlanLike, StageEvent
from adapterxfer.engines.schedule import Schedule
from adapterxfer.engines.wire import error_from_json
from adapterxfer.errors import StoreError
from adapterxfer.store.failures import ATTEMPTS, Failure
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

DAMAGED_INPUT = "DamagedInputError"
"""What a stage answers that found damage in an input and set it aside: the plan is gone through again."""

PASSES = 3
"""How often a plan is gone through before damage that comes back counts as a failure."""


class Ledger:
    """The books of one pass through a plan; engines tell it what happened.

    Args:
        plan: every stage after its inputs.
        store: where results are.
        listener: told everything.
    """

    def __init__(self, plan: PlanLike, store: Store, listener: Listener) -> None:
        self.started = time.perf_counter()
        self.stages = plan.stages
        self.store = store
        self.listener = listener
        self.folders: dict[str, Path] = {}
        self.finished: list[str] = []
        self.reused: list[str] = []
        self.failed: dict[str, Failure] = {}
        self.blocked: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.interrupted = 0
        self.fault: StoreError | None = None
        self._look_into_store()
        self.todo = {key: stage for key, stage in self.stages.items() if key not in self.folders}
        self.schedule = Schedule(self.todo, set(self.folders))
        self.remaining = len(self.todo)
        self._recall_failures()

    def outcome(self) -> Outcome:
        """How the pass ended.

        Raises:
            StoreError: the store could not be written any more.
        """
        if self.fault is not None:
            raise self.fault
        return Outcome(
            finished=tuple(self.finished),
            reused=tuple(self.reused),
            failed=self.failed,
            blocked=self.blocked,
            folders=self.folders,
            interrupted=self.interrupted,
            seconds=time.perf_counter() - self.started,
        )

    def answer(self, stage: Stage, message: Mapping[str, Any], worker: int = -1) -> None:
        """Take the last message of a stage: `finished`, `reused`, `failed` or `fault`."""
        event = message["event"]
        if event == "fault":
            fault = error_from_json(message)
            self.fault = StoreError(f"store {self.store.root}: {fault.what}", fix=fault.fix)
        elif event == "failed":
            attempts = self.attempts.get(stage.key, 0) + 1
            reason = {name: message[name] for name in ("error", "what", "fix", "log", "traceback")}
            failure = Failure(stage=stage, attempts=attempts, **reason)
            self.give_up(failure, worker, record=failure.error != DAMAGED_INPUT)
        else:
            self.remaining -= 1
            self.has_result(stage, Path(message["folder"]), event, worker, message["seconds"])
            self.schedule.finish(stage.key)

    def give_up(self, failure: Failure, worker: int = -1, *, record: bool = True) -> None:
        """A stage has no result in this pass, and neither has anything that needs it."""
        stage = failure.stage
        self.failed[stage.key] = failure
        self.remaining -= 1
        if record:
            self.store.record_failure(failure)
        detail = {"error": failure.error, "what": failure.what, "fix": failure.fix}
        self.tell("failed", stage, worker, detail=detail)
        for key in self.schedule.dependents(stage.key):
            if key not in self.blocked and key not in self.failed:
                self.blocked[key] = stage.key
                self.remaining -= 1
                self.tell("blocked", self.stages[key], detail={"by": stage.key})

    def has_result(self, stage: Stage, folder: Path, kind: EventKind, worker: int = -1, seconds: float = 0.0) -> None:
        """A stage has its result: made (`finished`) or found (`reused`)."""
        self.folders[stage.key] = folder
        (self.reused if kind == "reused" else self.finished).append(stage.key)
        self.tell(kind, stage, worker, seconds)

    def tell(
        self,
        kind: EventKind,
        stage: Stage,
        worker: int = -1,
        seconds: float = 0.0,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell the listener."""
        self.listener(StageEvent(kind, stage, worker, seconds, detail or {}))

    def _look_into_store(self) -> None:
        completed = self.store.completed()
        for stage in self.stages.values():
            folder = completed.get(stage.short_key)
            if folder is not None and not self.store.intact(folder, stage):
                self.has_result(stage, folder, "reused")

    def _recall_failures(self) -> None:
        """Count the tries of earlier runs; what they gave up is not tried again."""
        known = self.store.failures.read()
        for key, stage in self.todo.items():
            earlier = known.get(stage.short_key)
            if earlier is None or earlier.stage.key != key:
                continue
            self.attempts[key] = earlier.attempts
            if earlier.given_up and key not in self.blocked:
                fix = f"{earlier.fix}; then run again with --retry-failed".removeprefix("; then ")
                cause = f"{earlier.what} (tried {earlier.attempts} times; not tried again)"
                self.give_up(replace(earlier, stage=stage, what=cause, fix=fix), record=False)


def run_passes(plan: PlanLike, store: Store, one_pass: Callable[[], Outcome], *, retry_failed: bool = False) -> Outcome:
    """Open the store and go through the plan; again where damaged inputs were found and set aside.

    Args:
        one_pass: goes through the plan once.
        retry_failed: forget earlier failures of these stages first.

    Raises:
        StoreError: the store cannot be written.
    """
    store.open()
    if retry_failed:
        for key in plan.stages:
            store.failures.clear(key)
    finished: dict[str, None] = {}
    seconds = 0.0
    with store.running():
        for _ in range(PASSES):
            outcome = one_pass()
            finished.update(dict.fromkeys(outcome.finished))
            seconds += outcome.seconds
            if outcome.interrupted or not any(failure.error == DAMAGED_INPUT for failure in outcome.failed.values()):
                break
    reused = tuple(key for key in outcome.reused if key not in finished)
    return replace(outcome, finished=tuple(finished), reused=reused, seconds=seconds)


def worker_died(stage: Stage, cause: str, attempts: int, log: list[str]) -> Failure:
    """The failure of a stage whose processes died `ATTEMPTS` times."""
    cause_of_death = f"its worker process died {attempts} times; last: {cause}"
    fix = "a signal 9 usually means that memory ran out: use fewer --jobs or a smaller settings.eval_batch_tokens"
    return Failure(
        stage=stage, error="WorkerDied", what=cause_of_death, fix=fix, attempts=max(attempts, ATTEMPTS), log=log
    )


@contextmanager
def stop_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Call ``stop`` on the first SIGINT, SIGTERM or SIGUSR1. Main thread only.

    A second SIGINT, or one after another signal, leaves even a hanging clean-up; schedulers may repeat the others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not seen:
            seen.append(number)
            stop(number)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    old = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
