"""The engine for SLURM queues: one array of jobs per level of the plan, through submitit.

No chain of dependent jobs: SLURM leaves the dependents of a job that was killed waiting for ever. The driver waits for
one level before it submits the next, and may be stopped and started again at any time: whatever is finished is in the
store. A job that is about to run out of time, or is preempted, is queued again and makes its stage anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from adapterxfer.engines.events import Listener, Outcome, PlanLike, silent
from adapterxfer.engines.ledger import Ledger, run_passes, stop_signals, worker_died
from adapterxfer.engines.pool import ONE_THREAD
from adapterxfer.engines.remote import run_remote
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import ATTEMPTS, LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

LOOK_S = 1.0
"""How often the files that finished jobs write are looked for."""


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """Settings of this engine.

    Attributes:
        partition: of the jobs; empty for the cluster's default.
        account: charged for them; empty for the user's default.
        timeout_min: time limit of one stage in minutes.
        memory_gb: of one stage, in GiB, where its plan declares none; 0 for the cluster's default.
        array_parallelism: jobs of an array that run at the same time; 0 means ``--jobs``.
        cluster: ``slurm``, or ``local`` for processes on this machine without a queue.
    """

    partition: str = ""
    account: str = ""
    timeout_min: int = 240
    memory_gb: int = 0
    array_parallelism: int = 0
    cluster: str = "slurm"

    @classmethod
    def of(cls, given: Mapping[str, str]) -> SlurmSettings:
        """From ``--engine-set KEY=VALUE``.

        Raises:
            AdapterxferError: an unknown key, or a value of the wrong kind.
        """
        known: dict[str, type[str] | type[int]] = {one.name: int if one.type == "int" else str for one in fields(cls)}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise AdapterxferError(
                f"engine slurm: no setting {', '.join(unknown)}", fix=f"known: {', '.join(sorted(known))}"
            )
        try:
            values: dict[str, Any] = {key: known[key](value) for key, value in given.items()}
            chosen = cls(**values)
        except ValueError as error:
            raise AdapterxferError(f"engine slurm: {error}", fix="give whole numbers for times and sizes") from None
        if chosen.cluster not in ("slurm", "local"):
            raise AdapterxferError(f"engine slurm: cluster={chosen.cluster}", fix="expected slurm or local")
        return chosen


class StageJob:
    """What submitit runs: one stage; after a time-out the same stage again, from its beginning."""

    def __call__(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Run the stage of ``message`` with one thread, and without GPUs unless it asks for some."""
        os.environ.update(ONE_THREAD)
        if not message["stage"]["resources"].get("gpus"):
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return run_remote(message)

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
        jobs: jobs of an array that run at the same time.
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
    chosen = slurm_settings or SlurmSettings()
    handed = {"store": str(store.root), "settings": dict(settings or {}), "registry": dict(registry)}
    # submitit keeps its job files here; they hold JSON-like values and are read back by its own jobs only.
    folder = store.root / ".slurm"

    def new_executor() -> Any:
        return submitit.AutoExecutor(folder=folder, cluster=chosen.cluster, slurm_max_num_timeout=ATTEMPTS)

    try:
        new_executor()
    except (RuntimeError, FileNotFoundError) as error:
        raise AdapterxferError(f"engine slurm: {error}", fix="run this on a node that has sbatch and srun") from error

    def one_pass() -> Outcome:
        return _Pass(new_executor, plan, store, listener, handed, chosen, jobs).run()

    return run_passes(plan, store, one_pass, retry_failed=retry_failed)


class _Pass(Ledger):
    def __init__(
        self,
        new_executor: Callable[[], Any],
        plan: PlanLike,
        store: Store,
        listener: Listener,
        handed: Mapping[str, Any],
        chosen: SlurmSettings,
        jobs: int,
    ) -> None:
        super().__init__(plan, store, listener)
        self.new_executor, self.handed, self.chosen, self.jobs = new_executor, handed, chosen, jobs

    def run(self) -> Outcome:
        def stop(number: int) -> None:
            self.interrupted = number

        with stop_signals(stop):
            while not self.interrupted and self.fault is None:
                level = self._level()
                if not level:
                    break
                self._run_level(level)
            self.store.clean()
        return self.outcome()

    def _level(self) -> list[Stage]:
        """Every stage that can start now."""
        found: list[Stage] = []
        while len(self.schedule):
            stage = self.schedule.take()
            assert stage is not None
            if stage.key not in self.failed and stage.key not in self.blocked:
                found.append(stage)
        return found

    def _run_level(self, level: list[Stage]) -> None:
        groups: dict[tuple[int, int], list[Stage]] = {}
        for stage in level:
            gpus = int(stage.resources.get("gpus") or 0)
            memory = int(stage.resources.get("memory_gb") or self.chosen.memory_gb)
            groups.setdefault((gpus, memory), []).append(stage)
        pending: list[tuple[Any, Stage]] = []
        for (gpus, memory), stages in groups.items():
            executor = self.new_executor()  # a used one keeps the parameters of the last group
            executor.update_parameters(**self._parameters(gpus, memory))
            messages = [
                {"stage": stage.as_json(), "attempt": self.attempts.get(stage.key, 0) + 1, **self.handed}
                for stage in stages
            ]
            width = self.chosen.array_parallelism or self.jobs
            # One array on a queue; where there is none, submitit starts every job at once, so they go in handfuls.
            for start in range(0, len(stages), len(stages) if self.chosen.cluster == "slurm" else width):
                size = len(stages) if self.chosen.cluster == "slurm" else width
                part = messages[start : start + size]
                made = executor.map_array(StageJob(), part)
                pending += zip(made, stages[start : start + size], strict=True)
                if self.chosen.cluster != "slurm":
                    pending = self._wait(pending)
        self._wait(pending)

    def _wait(self, pending: list[tuple[Any, Stage]]) -> list[tuple[Any, Stage]]:
        while pending and not self.interrupted and self.fault is None:
            rest = []
            for job, stage in pending:
                if job.done():
                    self._take(job, stage)
                else:
                    rest.append((job, stage))
            if rest and len(rest) == len(pending):
                time.sleep(LOOK_S if self.chosen.cluster == "slurm" else 0.1)
            pending = rest
        for job, _ in pending:
            job.cancel()
        return []

    def _parameters(self, gpus: int, memory: int) -> dict[str, Any]:
        found: dict[str, Any] = {"timeout_min": self.chosen.timeout_min, "cpus_per_task": 1}
        if gpus:
            found["gpus_per_node"] = gpus
        if memory:
            found["mem_gb"] = memory
        if self.chosen.cluster == "slurm":
            found["slurm_array_parallelism"] = self.chosen.array_parallelism or self.jobs
            found["slurm_signal_delay_s"] = 60
            if self.chosen.partition:
                found["slurm_partition"] = self.chosen.partition
            if self.chosen.account:
                found["slurm_account"] = self.chosen.account
        return found

    def _take(self, job: Any, stage: Stage) -> None:
        try:
            message = job.result()
        except Exception as error:  # submitit raises its own classes for jobs that died or ran out of tries
            cause = f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else ''}"
            log = [*self.store.scratch_log(stage, LOG_LINES), *(job.stderr() or "").splitlines()[-LOG_LINES:]]
            self.give_up(worker_died(stage, cause, ATTEMPTS, log))
            return
        self.answer(stage, message)
