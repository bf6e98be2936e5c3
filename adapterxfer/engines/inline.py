"""The default engine: this machine, a few worker processes, one stage at a time in each."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from adapterxfer.engines.events import Listener, Outcome, PlanLike, silent
from adapterxfer.engines.gpus import shares
from adapterxfer.engines.ledger import Ledger, run_passes, stop_signals, worker_died
from adapterxfer.engines.pool import Inbox, Worker
from adapterxfer.engines.room import Room, available_gb, estimated_gb
from adapterxfer.engines.schedule import backbone_name
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import ATTEMPTS, LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.locks import StageBusyError
from adapterxfer.store.store import Store

GRACE_S = 60.0
"""How long stages in flight may take to save after SIGTERM or SIGUSR1."""

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
    retry_failed: bool = False,
) -> Outcome:
    """Run every stage of a plan that is not in the store yet.

    A stage that raises is recorded as failed and blocks its dependents; other branches go on. A worker that dies is
    replaced and its stage tried again. SIGINT ends the run at once: finished stages stay, stages in flight are given up
    and their scratch folders removed. SIGTERM and SIGUSR1 first give trainings `GRACE_S` seconds to save where they
    are; the next run goes on from there. A stage starts when there is memory for it (`room`). Imports no torch; the
    workers do.

    Args:
        plan: the stages; those with results in the store are not run.
        store: where results are looked up and committed.
        jobs: number of worker processes, at least 1.
        listener: called in this thread for everything that happens.
        settings: handed to executors: ``data_root``, ``device``, ``eval_batch_tokens``.
        registry: kind -> ``module:function`` of its executor.
        retry_failed: also try stages again that earlier runs gave up (see `ATTEMPTS`).

    Raises:
        StoreError: the store cannot be written, or its disk is full; finished stages stay.
        ValueError: ``jobs`` is below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs: {jobs}; expected at least 1")
    handed, executors = dict(settings or {}), dict(registry)
    return run_passes(
        plan, store, lambda: _Run(plan, store, listener, handed, executors).run(jobs), retry_failed=retry_failed
    )


class _Run(Ledger):
    def __init__(
        self, plan: PlanLike, store: Store, listener: Listener, settings: Mapping[str, Any], registry: Mapping[str, str]
    ) -> None:
        super().__init__(plan, store, listener)
        self.settings = settings
        self.registry = registry
        self.running: dict[Worker, Stage] = {}
        self.idle: list[Worker] = []
        self.unstarted: list[tuple[int, str | None]] = []
        self.waiting: list[Stage] = []
        self.held: dict[Worker, str] = {}
        self.inbox: Inbox = SimpleQueue()
        # On an accelerator the weights are in its memory.
        on_cpu = str(settings.get("device") or "cpu") == "cpu"
        self.room = Room(available_gb() if on_cpu else None)

    def run(self, jobs: int) -> Outcome:
        with stop_signals(self._stop):
            try:
                workers = min(jobs, self.remaining)
                self.unstarted = list(enumerate(shares(self.todo.values(), self.settings, workers)))
                while self.remaining and not self.interrupted and self.fault is None:
                    self._dispatch()
                    with suppress(Empty):
                        self._handle(*self.inbox.get(timeout=POLL_S if self.waiting else None))
                    if self.waiting:
                        self._look_at_waiting()
                if self.interrupted not in (0, signal.SIGINT):
                    self._let_save()
            finally:
                for worker in [*self.running, *self.idle]:
                    worker.stop()
                # Of workers too whose driver was killed, and which died when this run had begun.
                self.store.clean()
        return self.outcome()

    def _dispatch(self) -> None:
        while (self.idle or self.unstarted) and len(self.schedule):
            worker = self.idle.pop() if self.idle else None
            stage = self.schedule.take(self.held.get(worker, "") if worker else "", self.room.fits)
            if stage is None or stage.key in self.failed:
                if worker is not None:
                    self.idle.append(worker)
                if stage is None:  # until one that runs gives its memory back
                    return
                continue
            if worker is None:  # libraries are seconds and hundreds of MiB: nothing starts that has nothing to do
                number, gpus = self.unstarted.pop(0)
                worker = Worker(number, self.inbox, gpus)
            self.running[worker] = stage
            if self.room.is_too_large(stage):
                needed, free = estimated_gb(stage), self.room.total_gb
                self.tell("tight", stage, worker.number, detail={"needed_gb": needed, "free_gb": free})
            self.room.promise(stage)
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
            self.tell("started", stage, worker.number)

    def _handle(self, worker: Worker | None, message: dict[str, Any] | None) -> None:
        if worker is None:  # a signal woke the loop
            return
        if message is None:
            self._bury(worker)
            return
        stage = self.running[worker]
        event = message["event"]
        if event == "progress":
            self.tell("progress", stage, worker.number, detail=message["line"])
            return
        del self.running[worker]
        self.room.give_back(stage)
        self.idle.append(worker)
        if event == "stopped":  # somebody signalled the worker alone: the stage goes on from what it saved
            self.schedule.ready(stage.key)
            self.tell("retried", stage, worker.number, detail={"attempt": 0, "cause": message["what"]})
        elif event == "busy":
            self.waiting.append(stage)
            self.tell("waiting", stage, worker.number)
        else:
            self.answer(stage, message, worker.number)

    def _let_save(self) -> None:
        """Ask every stage in flight to save and end, and take what still ends in time."""
        deadline = time.monotonic() + GRACE_S
        worker: Worker | None
        for busy in self.running:
            busy.ask_to_stop()
        while self.running and (left := deadline - time.monotonic()) > 0:
            with suppress(Empty):
                worker, message = self.inbox.get(timeout=left)
                if worker not in self.running:
                    continue
                if message is None or message["event"] == "stopped":
                    self.idle.append(worker)
                    del self.running[worker]
                else:
                    self._handle(worker, message)

    def _bury(self, worker: Worker) -> None:
        """A worker died: start another, and try its stage again."""
        stage = self.running.pop(worker, None)
        if worker in self.idle:
            self.idle.remove(worker)
        cause = worker.cause_of_death()
        words = worker.last_words(LOG_LINES)
        worker.stop()
        self.idle.append(Worker(worker.number, self.inbox, worker.gpus))
        if stage is None:
            return
        self.room.give_back(stage)
        log = [*self.store.scratch_log(stage, LOG_LINES), *words]
        self.store.clean()
        attempts = self.attempts[stage.key] = self.attempts.get(stage.key, 0) + 1
        if attempts < ATTEMPTS:
            self.schedule.ready(stage.key)
            self.tell("retried", stage, worker.number, detail={"attempt": attempts, "cause": cause})
            return
        self.give_up(worker_died(stage, cause, attempts, log), worker.number)

    def _look_at_waiting(self) -> None:
        """Stages that another run was making: it finished them, or gave them up and they are ours again."""
        for stage in list(self.waiting):
            with suppress(StageBusyError), self.store.locked(stage, wait_s=0):
                self.waiting.remove(stage)
                self.schedule.ready(stage.key)

    def _stop(self, number: int) -> None:
        self.interrupted = number
        self.inbox.put((None, None))  # SimpleQueue.put may be called from a signal handler
