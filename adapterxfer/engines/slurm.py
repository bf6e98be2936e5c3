"""The engine for SLURM queues: arrays of stages whose inputs are there, submitted through submitit.

No chain of dependent jobs: SLURM leaves the dependents of a job that was killed waiting for ever. The driver submits a
stage when its inputs have results, and may be stopped and started again at any time: whatever is finished is in the
store. A job that is about to run out of time saves its training and is queued again; so is one that is preempted, and
one that had nothing to save, which counts against ``requeues``. A job that died without a word (memory,
a lost node) is submitted again, three times at most.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapterxfer.engines.cluster import ClusterPass, read_settings
from adapterxfer.engines.events import Listener, Outcome, PlanLike, silent
from adapterxfer.engines.gpus import gpus_of, refuse_one_device
from adapterxfer.engines.ledger import run_passes, stop_signals, worker_died
from adapterxfer.engines.pool import ONE_THREAD
from adapterxfer.engines.queue import Queue, cancel, requeue_this_job
from adapterxfer.engines.remote import run_remote
from adapterxfer.engines.worker import STOPPED, StopRequest
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import ATTEMPTS, LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

LOOK_S = 1.0
"""How often the files that finished jobs write are looked for."""

LOOK_LOCAL_S = 0.1
"""The same for processes of this machine."""

FOLDER = ".slurm"
"""Where submitit keeps its job files, in the store; they are read back by its own jobs only."""

LARGEST_ARRAY = 1000
"""Jobs of one array; SLURM's own default limit is 1,001."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSettings:
    """Settings of this engine.

    Attributes:
        partition: of the jobs; empty for the cluster's default.
        account: charged for them; empty for the user's default.
        timeout_min: time limit of one job in minutes.
        signal_s: seconds before that limit (at most a third of it) at which the job is told to end itself.
        requeues: how often a job that ran out of time and had nothing to save is queued again.
        memory_gb: of one stage, in GiB, where its plan declares none; 0 for the cluster's default.
        array_parallelism: jobs of one array that run at the same time; 0 means ``--jobs``.
        cluster: ``slurm``, or ``local`` for processes on this machine without a queue.
    """

    partition: str = ""
    account: str = ""
    timeout_min: int = 240
    signal_s: int = 60
    requeues: int = ATTEMPTS
    memory_gb: int = 0
    array_parallelism: int = 0
    cluster: str = "slurm"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> SlurmSettings:
        """From ``--engine-set KEY=VALUE``.

        Raises:
            AdapterxferError: an unknown key, or a value of the wrong kind.
        """
        chosen = read_settings("slurm", cls, values)
        if chosen.cluster not in ("slurm", "local"):
            raise AdapterxferError(f"engine slurm: cluster={chosen.cluster}", fix="expected slurm or local")
        if chosen.timeout_min < 1:
            raise AdapterxferError("engine slurm: timeout_min: expected at least 1", fix="leave the setting out")
        return chosen


class StageJob:
    """What submitit runs: one stage; after a time-out the same stage again, from what it saved or its beginning."""

    def __call__(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Run the stage of ``message`` with one thread, and without GPUs unless it asks for some."""
        os.environ.update(ONE_THREAD)
        if not gpus_of(Stage.from_json(message["stage"]), message["settings"]):
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        theirs = signal.getsignal(signal.SIGUSR2)  # submitit's: queues the job again and counts the time-outs

        def end(number: int) -> None:
            if number == signal.SIGUSR2 and callable(theirs):
                theirs(number, None)
            os._exit(STOPPED)

        stop = StopRequest(end)
        stop.watch(("SIGTERM", "SIGUSR2"))
        answer = run_remote(message, stop=stop)
        if answer["event"] == "stopped":
            if stop.number == signal.SIGUSR2 and not requeue_this_job():
                end(stop.number)
            os._exit(STOPPED)
        return answer

    def checkpoint(self, message: Mapping[str, Any]) -> Any:
        """Queue the same stage again; called when the time limit is near or the job is preempted."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(StageJob(), message)


def run_plan(
    plan: PlanLike,
    store: Store,
    *,
    jobs: int,
    listener: Listener = silent,
    settings: Mapping[str, Any] | None = None,
    registry: Mapping[str, str] = EXECUTORS,
    retry_failed: bool = False,
    slurm_settings: SlurmSettings | None = None,
) -> Outcome:
    """Run every stage of a plan that is not in the store yet, as `adapterxfer.engines.inline.run_plan` does.

    Args:
        jobs: stages that wait or run in the queue at the same time.
        slurm_settings: see `SlurmSettings`.

    Raises:
        MissingDependency: submitit is not installed.
        AdapterxferError: this machine has no SLURM.
        StoreError: the store cannot be written.
    """
    try:
        import submitit
    except ImportError as error:
        raise MissingDependency("engine slurm", "slurm") from error
    refuse_one_device("slurm", settings or {})
    chosen = slurm_settings or SlurmSettings()
    handed = {"store": str(store.root), "settings": dict(settings or {}), "registry": dict(registry)}
    # Private, because submitit's own format is pickle: whoever can write here can run code as this user.
    store.open()
    (store.root / FOLDER).mkdir(mode=0o700, exist_ok=True)

    def new_executor() -> Any:
        return submitit.AutoExecutor(
            folder=store.root / FOLDER, cluster=chosen.cluster, slurm_max_num_timeout=chosen.requeues
        )

    try:
        new_executor()
    except (RuntimeError, FileNotFoundError) as error:
        raise AdapterxferError(f"engine slurm: {error}", fix="run this on a node that has sbatch and srun") from error

    def one_pass() -> Outcome:
        return _Pass(new_executor, plan, store, listener, handed=handed, chosen=chosen, jobs=jobs).run()

    return run_passes(plan, store, one_pass, retry_failed=retry_failed)


class _Pass(ClusterPass):
    def __init__(
        self,
        new_executor: Callable[[], Any],
        plan: PlanLike,
        store: Store,
        listener: Listener,
        *,
        handed: Mapping[str, Any],
        chosen: SlurmSettings,
        jobs: int,
    ) -> None:
        super().__init__(plan, store, listener, handed, chosen.memory_gb)
        self.new_executor, self.chosen, self.jobs = new_executor, chosen, jobs
        self.folder = store.root / FOLDER
        self.on_queue = chosen.cluster == "slurm"
        self.queue = Queue()
        self.pending: dict[str, tuple[Any, Stage]] = {}

    def run(self) -> Outcome:
        with stop_signals(self.note_signal):
            try:
                while not self.interrupted and self.fault is None:
                    self._submit()
                    if not self.pending:
                        break
                    if not self._look():
                        time.sleep(LOOK_S if self.on_queue else LOOK_LOCAL_S)
            finally:
                self._cancel()
                self.store.clean()
        return self.outcome()

    def _submit(self) -> None:
        """Queue every stage that can start, up to ``jobs`` of them: one array for each kind of need."""
        groups: dict[tuple[int, float], list[Stage]] = {}
        for stage in self.startable(self.jobs - len(self.pending)):
            groups.setdefault(self.needs(stage), []).append(stage)
        for (gpus, memory), stages in groups.items():
            for start in range(0, len(stages), LARGEST_ARRAY):
                self._submit_array(stages[start : start + LARGEST_ARRAY], gpus, memory)

    def _submit_array(self, stages: list[Stage], gpus: int, memory: float) -> None:
        executor = self.new_executor()  # a used one keeps the parameters of the last array
        executor.update_parameters(**self._parameters(gpus, memory))
        try:
            jobs = executor.map_array(StageJob(), [self.message(stage) for stage in stages])
        except RuntimeError as error:  # submitit's errors about sbatch
            words = " ".join(str(error).split())[-300:]
            raise AdapterxferError(
                f"engine slurm: sbatch refused: {words}", fix="check --engine-set partition, account, timeout_min"
            ) from error
        for job, stage in zip(jobs, stages, strict=True):
            self.pending[job.job_id] = (job, stage)
            self.tell("started", stage)

    def _look(self) -> bool:
        """Take what has ended; whether there was anything."""
        ended = [number for number, (job, _) in self.pending.items() if self._answered(job)]
        for number in ended:
            self._take(*self.pending.pop(number))
        dead = self.queue.dead(self.pending) if self.on_queue else {}
        for number, cause in dead.items():
            job, stage = self.pending.pop(number)
            self._died(job, stage, cause)
        return bool(ended or dead)

    def _answered(self, job: Any) -> bool:
        # Not `job.done()` on a queue: it asks the accounting, which need not exist, and asks it every ten minutes.
        return bool(job.paths.result_pickle.exists() if self.on_queue else job.done())

    def _cancel(self) -> None:
        if self.on_queue:
            cancel(self.pending)
            return
        for job, _ in self.pending.values():
            job.cancel()

    def _parameters(self, gpus: int, memory: float) -> dict[str, Any]:
        parameters: dict[str, Any] = {"timeout_min": self.chosen.timeout_min, "cpus_per_task": max(1, gpus)}
        parameters["name"] = "adapterxfer"
        if gpus:
            parameters["gpus_per_node"] = gpus
        if memory:
            parameters["mem_gb"] = memory
        if self.on_queue:
            parameters["slurm_array_parallelism"] = self.chosen.array_parallelism or self.jobs
            parameters["slurm_signal_delay_s"] = min(self.chosen.signal_s, self.chosen.timeout_min * 60 // 3)
            if self.chosen.partition:
                parameters["slurm_partition"] = self.chosen.partition
            if self.chosen.account:
                parameters["slurm_account"] = self.chosen.account
        return parameters

    def _take(self, job: Any, stage: Stage) -> None:
        try:
            message = job.result()
        except Exception as error:  # submitit raises its own classes for jobs that died or ran out of tries
            words = str(error).strip().splitlines() or [""]
            self._died(job, stage, f"{type(error).__name__}: {words[-1]}")
            return
        self.answer(stage, message)
        if message["event"] in ("finished", "reused"):  # thousands of stages would leave tens of thousands of files
            for path in self.folder.glob(f"{job.job_id}_*"):
                path.unlink(missing_ok=True)

    def _died(self, job: Any, stage: Stage, cause: str) -> None:
        """A job ended without an answer: once more, unless that happened too often."""
        if cause.startswith("PREEMPTED") or cause.endswith(f"exit code {STOPPED}:0"):  # it was asked to stop
            self.schedule.ready(stage.key)
            self.tell("retried", stage, detail={"attempt": 0, "cause": cause})
            return
        attempts = self.attempts[stage.key] = self.attempts.get(stage.key, 0) + 1
        if attempts < ATTEMPTS:
            self.store.clean()
            self.schedule.ready(stage.key)
            self.tell("retried", stage, detail={"attempt": attempts, "cause": cause})
            return
        log = [*self.store.scratch_log(stage, LOG_LINES), *(job.stderr() or "").splitlines()[-LOG_LINES:]]
        self.give_up(worker_died(stage, cause, attempts, log))
