"""The engine for clusters: every stage is one task of Ray, which decides where it runs and when it is tried again.

Only messages and small answers travel through Ray; data stay in the store, which all nodes see. So a lost node or
driver costs the stages in flight: whatever is finished is found in the store by the next attempt or the next run. The
driver hands over stages whose inputs have results, a bounded number at a time: what Ray keeps does not grow with the
plan.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.engines.cluster import ClusterPass, read_settings
from adapterxfer.engines.events import Listener, Outcome, PlanLike, silent
from adapterxfer.engines.gpus import refuse_one_device
from adapterxfer.engines.inline import GRACE_S
from adapterxfer.engines.ledger import run_passes, stop_signals, worker_died
from adapterxfer.engines.pool import ONE_THREAD
from adapterxfer.engines.remote import run_remote
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import ATTEMPTS, LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

LOOK_S = 0.25
"""How long to wait for a task to end before signals are looked at."""

LOCAL_OBJECT_STORE = 80 * 1024 * 1024
"""Bytes of shared memory of a cluster started here: answers are small and never lie there."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Settings of this engine.

    Attributes:
        address: of a running cluster (``auto`` finds the one of this node); empty starts one on this machine.
        memory_gb: of one stage, in GiB, where its plan declares none; 0 leaves memory out of the placement.
        in_flight: stages that Ray has at a time, running or waiting for a place.
    """

    address: str = ""
    memory_gb: float = 0.0
    in_flight: int = 500

    @classmethod
    def of(cls, values: Mapping[str, str]) -> RaySettings:
        """From ``--engine-set KEY=VALUE``.

        Raises:
            AdapterxferError: an unknown key, or a value that is no number or too small.
        """
        chosen = read_settings("ray", cls, values)
        if chosen.in_flight < 1:
            raise AdapterxferError("engine ray: in_flight: expected at least 1", fix="leave the setting out")
        return chosen


def run_plan(
    plan: PlanLike,
    store: Store,
    *,
    jobs: int,
    listener: Listener = silent,
    settings: Mapping[str, Any] | None = None,
    registry: Mapping[str, str] = EXECUTORS,
    retry_failed: bool = False,
    ray_settings: RaySettings | None = None,
) -> Outcome:
    """Run every stage of a plan that is not in the store yet, as `adapterxfer.engines.inline.run_plan` does.

    Args:
        jobs: processors of a cluster started here; a running cluster brings its own.
        ray_settings: see `RaySettings`.

    Raises:
        MissingDependency: Ray is not installed.
        StoreError: the store cannot be written.
    """
    # Ray reads these when it is imported: no statistics are sent anywhere, and what a task without GPUs sees is said
    # in its environment below.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("engine ray", "ray") from error
    refuse_one_device("ray", settings or {})
    chosen = ray_settings or RaySettings()
    started = not ray.is_initialized()
    if started:
        _connect(ray, chosen, jobs)
    try:
        handed = {"store": str(store.root), "settings": dict(settings or {}), "registry": dict(registry)}
        return run_passes(
            plan, store, lambda: _Pass(ray, plan, store, listener, handed, chosen).run(), retry_failed=retry_failed
        )
    finally:
        if started:
            ray.shutdown()


def _connect(ray: Any, chosen: RaySettings, jobs: int) -> None:
    if chosen.address:
        try:
            ray.init(address=chosen.address, log_to_driver=False, logging_level="error")
        except ray.exceptions.AuthenticationError as error:
            raise _refused(chosen.address) from error
        except ConnectionError as error:
            if isinstance(error.__cause__, RuntimeError) and "AuthenticationError" in str(error.__cause__):
                raise _refused(chosen.address) from error
            raise AdapterxferError(
                f"engine ray: no cluster at '{chosen.address}'", fix="start one with `ray start --head`"
            ) from error
        return
    try:
        ray.init(
            num_cpus=jobs,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            object_store_memory=LOCAL_OBJECT_STORE,
        )
    except Exception as error:  # Ray raises a bare Exception where its processes answer too late
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise AdapterxferError(
            f"engine ray: no cluster could be started on this machine: {words[0]}",
            fix="run the same command again when the machine is less busy, or use --engine inline",
        ) from error


def _refused(address: str) -> AdapterxferError:
    """Ray starts clusters with a token by itself where it finds one, and connects with it only when told to."""
    return AdapterxferError(
        f"engine ray: the cluster at '{address}' wants a token",
        fix="set RAY_AUTH_MODE=token; the token is ~/.ray/auth_token of the head node, or RAY_AUTH_TOKEN",
    )


class _Pass(ClusterPass):
    def __init__(
        self,
        ray: Any,
        plan: PlanLike,
        store: Store,
        listener: Listener,
        handed: Mapping[str, Any],
        chosen: RaySettings,
    ) -> None:
        super().__init__(plan, store, listener, handed, chosen.memory_gb)
        self.ray, self.chosen = ray, chosen
        self.tasks: dict[tuple[int, float], Any] = {}
        self.pending: dict[Any, Stage] = {}

    def run(self) -> Outcome:
        with stop_signals(self.note_signal), self.store.stop_file() as self.stop_file:
            while not self.interrupted and self.fault is None:
                self._submit()
                if not self.pending:
                    break
                self._collect()
            if self.pending and self.interrupted not in (0, signal.SIGINT):
                self._let_save()
            for reference in self.pending:
                self.ray.cancel(reference, force=True)
            self.store.clean()
        return self.outcome()

    def _let_save(self) -> None:
        """Ask trainings to save and end; what is pending after that does not run any more, or time is up."""
        self.stop_file.touch()
        deadline = time.monotonic() + GRACE_S
        while self.pending and time.monotonic() < deadline:
            self._collect()
            if not {stage.short_key for stage in self.pending.values()} & set(self.store.busy()):
                break

    def _submit(self) -> None:
        """Hand over stages whose inputs have results while there is room."""
        for stage in self.startable(self.chosen.in_flight - len(self.pending)):
            needs = self.needs(stage)
            if needs not in self.tasks:
                self.tasks[needs] = self.ray.remote(**self._options(*needs))(run_remote)
            task = self.tasks[needs].options(name=f"{stage.kind} {stage.folder_name}")
            self.pending[task.remote({**self.message(stage), "stop_file": str(self.stop_file)})] = stage

    def _collect(self) -> None:
        """Take what has ended; waits for the first a little, then takes all the others with one question."""
        ready, rest = self.ray.wait(list(self.pending), num_returns=1, timeout=LOOK_S, fetch_local=False)
        if ready and rest:
            ready += self.ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        for reference in ready:
            self._take(reference, self.pending.pop(reference))

    def _options(self, gpus: int, memory: float) -> dict[str, Any]:
        environment = {**ONE_THREAD, "TOKENIZERS_PARALLELISM": "false"}
        if not gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        if not self.chosen.address:  # a cluster of this machine: what this process can import, tasks can import too
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
        options: dict[str, Any] = {
            "num_cpus": 1,
            "num_gpus": gpus,
            "max_retries": ATTEMPTS - 1,
            "runtime_env": {"env_vars": environment},
        }
        if memory:
            options["memory"] = int(memory * 1024**3)
        return options

    def _take(self, reference: Any, stage: Stage) -> None:
        try:
            message = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:  # Ray has tried again already
            cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            log = self.store.scratch_log(stage, LOG_LINES)
            self.give_up(worker_died(stage, f"{type(error).__name__}: {cause}", ATTEMPTS, log))
            return
        if message["event"] != "stopped":
            self.answer(stage, message)
