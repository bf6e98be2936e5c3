"""The engine for clusters: every stage is one task of Ray, which decides where it runs and when it is tried again.

Only the order of stages travels through Ray (the small answer of an input is an argument of its dependents); data stay
in the store, which all nodes see. So a lost node or driver costs the stages in flight: whatever is finished is found
in the store by the next attempt or the next run.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from adapterxfer.engines.events import Listener, Outcome, PlanLike, silent
from adapterxfer.engines.inline import GRACE_S
from adapterxfer.engines.ledger import Ledger, run_passes, stop_signals, worker_died
from adapterxfer.engines.pool import ONE_THREAD
from adapterxfer.engines.remote import run_remote
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.stages.registry import EXECUTORS
from adapterxfer.store.failures import ATTEMPTS, LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

LOOK_S = 0.25
"""How often finished tasks are asked for; one question serves all of them."""

LOCAL_OBJECT_STORE = 80 * 1024 * 1024
"""Bytes of shared memory of a cluster started here: answers are small and never lie there."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Settings of this engine.

    Attributes:
        address: of a running cluster (``auto`` finds the one of this node); empty starts one on this machine.
        memory_gb: of one stage, in GiB, where its plan declares none; 0 leaves memory out of the placement.
    """

    address: str = ""
    memory_gb: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, str]) -> RaySettings:
        """From ``--engine-set KEY=VALUE``.

        Raises:
            AdapterxferError: an unknown key, or a value that is no number.
        """
        unknown = sorted(set(given) - {one.name for one in fields(cls)})
        if unknown:
            raise AdapterxferError(f"engine ray: no setting {', '.join(unknown)}", fix="known: address, memory_gb")
        try:
            return cls(address=given.get("address", ""), memory_gb=float(given.get("memory_gb", 0)))
        except ValueError as error:
            raise AdapterxferError(f"engine ray: memory_gb: {error}", fix="give a number") from None


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


class _Pass(Ledger):
    def __init__(
        self,
        ray: Any,
        plan: PlanLike,
        store: Store,
        listener: Listener,
        handed: Mapping[str, Any],
        chosen: RaySettings,
    ) -> None:
        super().__init__(plan, store, listener)
        self.ray, self.handed, self.chosen = ray, handed, chosen
        self.stage_of: dict[Any, Stage] = {}

    def run(self) -> Outcome:
        def stop(number: int) -> None:
            self.interrupted = number

        with stop_signals(stop), self.store.stop_file() as self.stop_file:
            self._submit()
            pending = list(self.stage_of)
            order = {reference: number for number, reference in enumerate(pending)}
            while pending and not self.interrupted and self.fault is None:
                ready, pending = self.ray.wait(pending, num_returns=len(pending), timeout=LOOK_S, fetch_local=False)
                # A stage that failed is known before those that it blocks: the plan is in topological order.
                for reference in sorted(ready, key=order.__getitem__):
                    self._take(reference)
            if pending and self.interrupted not in (0, signal.SIGINT):
                pending = self._let_save(pending)
            for reference in pending:
                self.ray.cancel(reference, force=True)
            self.store.clean()
        return self.outcome()

    def _let_save(self, pending: list[Any]) -> list[Any]:
        """Ask trainings to save and end; returns what is still there when nothing runs any more, or time is up."""
        self.stop_file.touch()
        deadline = time.monotonic() + GRACE_S
        while pending and time.monotonic() < deadline:
            ready, pending = self.ray.wait(pending, num_returns=len(pending), timeout=LOOK_S, fetch_local=False)
            for reference in ready:
                self._take(reference)
            mine = {self.stage_of[reference].short_key for reference in pending}
            if not mine & set(self.store.busy()):
                break
        return pending

    def _submit(self) -> None:
        """Hand over all stages at once; Ray starts each when its inputs have answered."""
        task = self.ray.remote(run_remote)
        references: dict[str, Any] = {}
        for key, stage in self.todo.items():
            if key in self.failed or key in self.blocked:
                continue
            needed = [references[other] for other in stage.inputs.values() if other in references]
            message = {"stage": stage.as_json(), "attempt": self.attempts.get(key, 0) + 1, **self.handed}
            message["stop_file"] = str(self.stop_file)
            made = task.options(**self._options(stage)).remote(message, *needed)
            references[key] = made
            self.stage_of[made] = stage

    def _options(self, stage: Stage) -> dict[str, Any]:
        gpus = stage.resources.get("gpus") or 0
        memory = stage.resources.get("memory_gb") or self.chosen.memory_gb
        environment = {**ONE_THREAD, "TOKENIZERS_PARALLELISM": "false"}
        if not gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        if not self.chosen.address:  # a cluster of this machine: what this process can import, tasks can import too
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
        options: dict[str, Any] = {
            "num_cpus": 1,
            "num_gpus": gpus,
            "max_retries": ATTEMPTS - 1,
            "name": f"{stage.kind} {stage.folder_name}",
            "runtime_env": {"env_vars": environment},
        }
        if memory:
            options["memory"] = int(memory * 1024**3)
        return options

    def _take(self, reference: Any) -> None:
        stage = self.stage_of.pop(reference)
        if stage.key in self.blocked:
            return
        try:
            message = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            # Ray has tried again already. Whatever waits for this one gets the same error, in plan order.
            cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            log = self.store.scratch_log(stage, LOG_LINES)
            self.give_up(worker_died(stage, f"{type(error).__name__}: {cause}", ATTEMPTS, log))
            return
        if message["event"] not in ("blocked", "stopped"):
            self.answer(stage, message)
