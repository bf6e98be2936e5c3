"""The default engine: this machine, a few worker processes, one stage at a time in each."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from adapterxfer.engines.events import Event, EventKind, Listener, Outcome, PlanLike, silent
from adapterxfer.engines.pool import Inbox, Worker
from adapterxfer.engines.schedule import Schedule, backbone_name
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import LOG_LINES, Failure
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import StageBusyError, Store

ATTEMPTS = 3
"""A stage whose worker dies this often is recorded as failed."""

POLL_S = 0.2
"""How often a stage that another run is making is looked at."""


def run_plan(
    plan: PlanLike,
    store: Store,
    *,
    jobs: int,
    listener: Listener = silent,
    settings: Mapping[str, Any] | None = None,
    registry: Mapping[str, str] = EXECUTORS,
) -> Outcome:
    """Run every stage of a plan that is not in the store yet.

    A stage that raises is recorded as failed and blocks its dependents; other branches go on. A worker that dies is
    replaced and its stage tried again. SIGINT and SIGTERM end the run at once: finished stages stay, stages in flight
    are given up and their scratch folders removed. Imports no torch; the workers do.

    Args:
        plan: the stages; those with results in the store are not run.
        store: where results are looked up and committed.
        jobs: number of worker processes, at least 1.
        listener: called in this thread for everything that happens.
        settings: handed to executors: ``data_root``, ``device``, ``eval_batch_tokens``.
        registry: kind -> ``module:function`` of its executor.

    Raises:
        StoreError: the store cannot be written.
        ValueError: ``jobs`` is below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs: {jobs}; expected at least 1")
    store.open()
    run = _Run(plan, store, listener, dict(settings or {}), dict(registry))
    return run.run(jobs)


class _Run:
    def __init__(
        self, plan: PlanLike, store: Store, listener: Listener, settings: Mapping[str, Any], registry: Mapping[str, str]
    ) -> None:
        self.started = time.perf_counter()
        self.stages = plan.stages
        self.store = store
        self.listener = listener
        self.settings = settings
        self.registry = registry
        self.folders: dict[str, Path] = {}
        self.finished: list[str] = []
        self.reused: list[str] = []
        self.failed: dict[str, Failure] = {}
        self.blocked: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.running: dict[Worker, Stage] = {}
        self.idle: list[Worker] = []
        self.waiting: list[Stage] = []
        self.held: dict[Worker, str] = {}
        self.interrupted = 0
        self.inbox: Inbox = SimpleQueue()
        self._look_into_store()
        todo = {key: stage for key, stage in self.stages.items() if key not in self.folders}
        self.schedule = Schedule(todo, set(self.folders))
        self.remaining = len(todo)

    def run(self, jobs: int) -> Outcome:
        with self._signals():
            try:
                for number in range(min(jobs, self.remaining)):
                    self.idle.append(Worker(number, self.inbox))
                while self.remaining and not self.interrupted:
                    self._dispatch()
                    with suppress(Empty):
                        self._handle(*self.inbox.get(timeout=POLL_S if self.waiting else None))
                    if self.waiting:
                        self._look_at_waiting()
            finally:
                unfinished = bool(self.running)
                for worker in [*self.running, *self.idle]:
                    worker.stop()
                if unfinished:
                    self.store.clean()
        return Outcome(
            finished=tuple(self.finished),
            reused=tuple(self.reused),
            failed=self.failed,
            blocked=self.blocked,
            folders=self.folders,
            interrupted=self.interrupted,
            seconds=time.perf_counter() - self.started,
        )

    def _look_into_store(self) -> None:
        completed = self.store.completed()
        for stage in self.stages.values():
            folder = completed.get(stage.short_key)
            if folder is not None and not self.store.intact(folder, stage):
                self._has_result(stage, folder, "reused")

    def _dispatch(self) -> None:
        while self.idle and len(self.schedule):
            worker = self.idle.pop()
            stage = self.schedule.take(self.held.get(worker, ""))
            assert stage is not None
            self.running[worker] = stage
            self.held[worker] = backbone_name(stage) or self.held.get(worker, "")
            worker.send(
                {
                    "stage": stage.as_json(),
                    "inputs": {role: str(self.folders[key]) for role, key in stage.inputs.items()},
                    "store": str(self.store.root),
                    "settings": self.settings,
                    "registry": self.registry,
                    "attempt": self.attempts.get(stage.key, 0) + 1,
                }
            )
            self._tell("started", stage, worker)

    def _handle(self, worker: Worker | None, message: dict[str, Any] | None) -> None:
        if worker is None:  # a signal woke the loop
            return
        if message is None:
            self._bury(worker)
            return
        stage = self.running[worker]
        event = message["event"]
        if event == "progress":
            self._tell("progress", stage, worker, detail=message["line"])
            return
        del self.running[worker]
        self.idle.append(worker)
        if event == "busy":
            self.waiting.append(stage)
            self._tell("waiting", stage, worker)
        elif event == "failed":
            attempts = self.attempts.get(stage.key, 0) + 1
            reason = {name: message[name] for name in ("error", "what", "fix", "log", "traceback")}
            self._give_up(Failure(stage, attempts=attempts, **reason), worker)
        else:
            self.remaining -= 1
            self._has_result(stage, Path(message["folder"]), event, worker, message["seconds"])
            self.schedule.finish(stage.key)

    def _bury(self, worker: Worker) -> None:
        """A worker died: start another, and try its stage again."""
        stage = self.running.pop(worker, None)
        if worker in self.idle:
            self.idle.remove(worker)
        cause = worker.cause_of_death()
        words = worker.last_words(LOG_LINES)
        worker.stop()
        self.idle.append(Worker(worker.number, self.inbox))
        if stage is None:
            return
        log = [*self.store.scratch_log(stage, LOG_LINES), *words]
        self.store.clean()
        attempts = self.attempts[stage.key] = self.attempts.get(stage.key, 0) + 1
        if attempts < ATTEMPTS:
            self.schedule.ready(stage.key)
            self._tell("retried", stage, worker, detail={"attempt": attempts, "cause": cause})
            return
        what = f"its worker process died {attempts} times; last: {cause}"
        fix = "a signal 9 usually means that memory ran out: use fewer --jobs or a smaller settings.eval_batch_tokens"
        self._give_up(Failure(stage, "WorkerDied", what, fix, attempts, log), worker)

    def _give_up(self, failure: Failure, worker: Worker) -> None:
        stage = failure.stage
        self.failed[stage.key] = failure
        self.remaining -= 1
        self.store.record_failure(failure)
        detail = {"error": failure.error, "what": failure.what, "fix": failure.fix}
        self._tell("failed", stage, worker, detail=detail)
        for key in self.schedule.dependents(stage.key):
            if key not in self.blocked:
                self.blocked[key] = stage.key
                self.remaining -= 1
                self._tell("blocked", self.stages[key], detail={"by": stage.key})

    def _look_at_waiting(self) -> None:
        """Stages that another run was making: it finished them, or gave them up and they are ours again."""
        for stage in list(self.waiting):
            with suppress(StageBusyError), self.store.locked(stage, wait_s=0):
                self.waiting.remove(stage)
                self.schedule.ready(stage.key)

    def _has_result(
        self, stage: Stage, folder: Path, kind: EventKind, worker: Worker | None = None, seconds: float = 0.0
    ) -> None:
        self.folders[stage.key] = folder
        (self.reused if kind == "reused" else self.finished).append(stage.key)
        self._tell(kind, stage, worker, seconds)

    def _tell(
        self,
        kind: EventKind,
        stage: Stage,
        worker: Worker | None = None,
        seconds: float = 0.0,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self.listener(Event(kind, stage, -1 if worker is None else worker.number, seconds, detail or {}))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a wake-up of the loop; only the main thread may do that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _frame: object) -> None:
            if self.interrupted:
                raise KeyboardInterrupt  # the second time the user means it: leave even a hanging clean-up
            self.interrupted = number
            self.inbox.put((None, None))  # SimpleQueue.put may be called from a signal handler

        old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
