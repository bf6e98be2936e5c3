"""Running stages: one alone (`run_stage`), or one after the other in a worker process that an engine feeds (`serve`).

A worker reads one JSON message per line from standard input and answers on what was standard output. It ends when its
input ends, even in the middle of a stage: a driver that dies leaves no worker behind. Libraries are imported by the
first stage that needs them and stay, as do the backbones that executors keep.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Literal

from adapterxfer.engines.faults import store_fault
from adapterxfer.engines.heap import give_back
from adapterxfer.engines.launch import launch, processes_for
from adapterxfer.engines.wire import error_as_json
from adapterxfer.errors import StageStopped, StoreError
from adapterxfer.plan.generations import require_newest
from adapterxfer.stages.context import StageContext, is_kept, never
from adapterxfer.stages.registry import EXECUTORS, begin_worker, load_executor
from adapterxfer.store.failures import LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.locks import StageBusyError
from adapterxfer.store.provenance import provenance
from adapterxfer.store.record import NewerSchemaError
from adapterxfer.store.redaction import redacted_line
from adapterxfer.store.store import LOG_FILE, Store

STOPPED = StageStopped.exit_code
"""Exit code of a process that was asked to stop."""

STOP_SIGNALS = ("SIGTERM", "SIGUSR1")
"""What schedulers send before they take a machine away."""

PROGRESS_INTERVAL_S = 0.1
"""A worker sends at most one progress line in this time; log.jsonl gets all of them."""


@dataclass(frozen=True, slots=True)
class StageEnd:
    """A stage that has a result: made now (`finished`) or found in the store (`reused`)."""

    status: Literal["finished", "reused"]
    folder: Path
    seconds: float


def run_stage(
    stage: Stage,
    *,
    store: Store,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Path] | None = None,
    registry: Mapping[str, str] = EXECUTORS,
    report: Callable[[Mapping[str, Any]], None] | None = None,
    attempt: int = 1,
    wait_s: float = -1.0,
    stop: Callable[[], bool] = never,
) -> StageEnd:
    """Run one stage in this process, alone under its lock, and commit it.

    Args:
        stage: what to run.
        store: where its inputs are and where it is committed.
        settings: what executors may use and what does not change the numbers.
        inputs: role -> committed folder; looked up in the store when absent.
        registry: kind -> ``module:function``.
        report: gets every logged line.
        attempt: kept in the provenance.
        wait_s: how long to wait for another process that makes the same stage; negative: until it ends.
        stop: asked by the executor again and again; true lets it save where it is and end.

    Raises:
        StageBusyError: another process was still making it after ``wait_s``.
        StageError: it is a stage of an earlier generation.
        StageStopped: ``stop`` said so; what was saved is in the store's resume folder of the stage.
        Exception: whatever the executor raised; nothing is committed then.
    """
    if inputs is None:
        inputs = {role: store.folder(key) for role, key in stage.inputs.items()}
    with store.locked(stage, wait_s=wait_s):
        finished = store.find(stage, named=True)
        if finished is not None:
            if not store.intact(finished, stage):
                return StageEnd("reused", finished, 0.0)
            store.set_aside(finished)
        require_newest(stage)
        check_inputs(store, stage, inputs)
        with store.scratch(stage) as scratch, ExitStack() as files:
            log_file: IO[str] | None = None

            def log(line: Mapping[str, Any]) -> None:
                nonlocal log_file
                if is_kept(line):
                    if log_file is None:
                        log_file = files.enter_context((scratch / LOG_FILE).open("a", encoding="utf-8"))
                    log_file.write(redacted_line(line) + "\n")
                    log_file.flush()
                if report is not None:
                    report(line)

            processes = processes_for(stage, settings)
            execute = load_executor(stage.kind, registry) if processes == 1 else None
            use_one_thread()
            started = time.perf_counter()
            resume = store.resume_folder(stage)
            context = StageContext(
                stage=stage,
                inputs=dict(inputs),
                scratch=scratch,
                log=log,
                settings=dict(settings),
                resume=resume,
                states=store.states_folder,
                stop=stop,
            )
            result = execute(context) if execute is not None else launch(context, registry, processes)
            seconds = time.perf_counter() - started
            files.close()
            facts = provenance(seconds=seconds, attempt=attempt, device=str(settings.get("device") or "cpu"))
            folder = store.commit(stage, scratch, result=result, provenance=facts)
        store.forget_lock(stage)
    give_back()
    return StageEnd("finished", folder, seconds)


class DamagedInputError(StoreError):
    """A result that a stage needs is not what was committed; it has been set aside and can be made again."""


_checked: dict[Path, tuple[int, ...]] = {}
"""Input folders whose bytes this process compared -> sizes and times of their files then."""


def check_inputs(store: Store, stage: Stage, inputs: Mapping[str, Path]) -> None:
    """Compare every byte of the inputs with their records, once per process, so that no damage reaches a result.

    Raises:
        DamagedInputError: an input differs; it has been set aside.
    """
    for role, folder in inputs.items():
        if folder.parent.parent != store.root:  # a debugger may hand in any folder
            continue
        facts = [path.lstat() for path in sorted(folder.rglob("*"))]
        state = tuple(number for fact in facts for number in (fact.st_size, fact.st_mtime_ns))
        if state and _checked.get(folder) == state:
            continue
        if _damage(store, folder):
            with store.locked(stage.inputs[role]):
                damage = _damage(store, folder)  # another process may have made it anew meanwhile
                if damage:
                    with suppress(FileNotFoundError):
                        store.set_aside(folder)
                    raise DamagedInputError(f"input '{role}' {folder.name}: {damage}", fix="run again: it is made anew")
        _checked[folder] = state


def _damage(store: Store, folder: Path) -> str:
    try:
        return "; ".join(store.read(folder).damage(rehash=True))
    except NewerSchemaError:
        raise
    except StoreError as error:
        return error.what


def use_one_thread() -> None:
    """One torch thread: sums depend on the number of threads, and processes are what fills the cores."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


class StopRequest:
    """What a signal asks of the stage in flight: to save and end, if it can, otherwise to end.

    Called by executors as ``context.stop``; `watch` installs it for SIGTERM and SIGUSR1 of this process.

    Args:
        end: called with the signal where no executor listens, so that there is nothing to save; default: the process
            ends at once.
    """

    def __init__(self, end: Callable[[int], None] = lambda _number: os._exit(STOPPED)) -> None:
        self.requested = False
        self.number = 0
        self._end = end
        self._heard = False

    def __call__(self) -> bool:
        """Whether the stage should save and end; from the first call on it is waited for."""
        self._heard = True
        return self.requested

    def begin(self) -> None:
        """A new stage begins: nobody has asked yet."""
        self.requested = self._heard = False

    def ask(self, number: int = 0, _frame: object = None) -> None:
        """Ask the stage to stop; where none listens there is nothing to save, and ``end`` is called."""
        self.requested, self.number = True, number
        if not self._heard:
            self._end(number)

    def watch(self, names: Sequence[str] = STOP_SIGNALS) -> None:
        """Let these signals ask. Main thread only."""
        for name in names:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self.ask)


class _Wire:
    """The worker's side of the pipe: answers, and progress thinned out to what a display can show."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._last_progress = 0.0
        self.tail: deque[str] = deque(maxlen=LOG_LINES)

    def send(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._pipe.write(json.dumps(message) + "\n")
            self._pipe.flush()

    def report(self, line: Mapping[str, Any]) -> None:
        self.tail.append(redacted_line(line))
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_INTERVAL_S:
            self._last_progress = now
            self.send({"event": "progress", "line": dict(line)})


def serve() -> None:
    """Work off the messages of an engine until its pipe closes."""
    # The driver decides what an interrupt means; a terminal sends it to the whole group at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    begin_worker()
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not end up between the messages
    messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    stores: dict[str, Store] = {}
    stop = StopRequest()
    stop.watch()
    while True:
        message = messages.get()
        wire = _Wire(pipe)
        stop.begin()
        try:
            answer = _call(message) if "call" in message else _run(message, wire, stores, stop)
        except StageBusyError:
            answer = {"event": "busy"}
        except StageStopped as stopped:
            answer = {"event": "stopped", "what": stopped.what}
        except BaseException as error:  # SystemExit of a library must not end the worker without a word
            fault = store_fault(error)
            kind = "fault" if fault is not None else "failed"
            answer = {"event": kind, **error_as_json(fault or error), "log": list(wire.tail)}
        stop.begin()
        try:
            wire.send(answer)
        except OSError:
            os._exit(1)


def _listen(messages: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        messages.put(json.loads(line))
    # The driver is gone or wants no more. Its end is the only stop signal, so a stage in flight is given up here; its
    # lock falls with this process and the next run removes its scratch folder. The group holds what it started itself.
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _run(message: Mapping[str, Any], wire: _Wire, stores: dict[str, Store], stop: StopRequest) -> dict[str, Any]:
    store = stores.setdefault(message["store"], Store(message["store"]))
    end = run_stage(
        Stage.from_json(message["stage"]),
        store=store,
        settings=message["settings"],
        inputs={role: Path(folder) for role, folder in message["inputs"].items()},
        registry=message["registry"],
        report=wire.report,
        attempt=message["attempt"],
        wait_s=0.0,
        stop=stop,
    )
    return {"event": end.status, "folder": str(end.folder), "seconds": end.seconds}


def _call(message: Mapping[str, Any]) -> dict[str, Any]:
    """Call ``module:function`` with keyword arguments."""
    module, _, function = str(message["call"]).partition(":")
    target = getattr(import_module(module), function)
    use_one_thread()
    return {"event": "finished", "value": target(**message["arguments"])}
