"""One stage on whichever machine an engine chose: a message in, a small answer out, nothing raised."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapterxfer.engines.faults import store_fault
from adapterxfer.engines.wire import error_as_json
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import StageStopped
from adapterxfer.stages.context import never
from adapterxfer.store.failures import LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.redaction import redacted_line
from adapterxfer.store.store import Store

LOOK_S = 1.0
"""How often a stop file is looked for: a look at a shared file system may take as long as a training step."""


class StopFile:
    """A driver asks stages on other machines to save and end by making a file in the store.

    Args:
        path: of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._looked = float("-inf")
        self._found = False

    def __call__(self) -> bool:
        """Whether it is there."""
        now = time.monotonic()
        if not self._found and now - self._looked >= LOOK_S:
            self._looked = now
            self._found = self._path.exists()
        return self._found


def run_remote(message: Mapping[str, Any], stop: Callable[[], bool] = never) -> dict[str, Any]:
    """Run one stage and commit it; a stage that another run makes is waited for and then found.

    Args:
        message: ``stage``, ``store``, ``settings``, ``registry``, ``attempt``, and ``stop_file`` if there is one.
        stop: asked by trainings beside the stop file.

    Returns:
        ``{event: "finished" | "reused", folder, seconds}``, ``{event: "failed" | "fault", error, what, fix, log,
        traceback}``, or ``{event: "stopped", what}`` where the stage saved and ended because it was asked to.
    """
    file_asks = StopFile(message["stop_file"]) if message.get("stop_file") else never
    if file_asks():
        return {"event": "stopped", "what": "not begun"}
    tail: deque[str] = deque(maxlen=LOG_LINES)
    try:
        end = run_stage(
            Stage.from_json(message["stage"]),
            store=Store(message["store"]),
            settings=message["settings"],
            registry=message["registry"],
            report=lambda line: tail.append(redacted_line(line)),
            attempt=message["attempt"],
            stop=lambda: stop() or file_asks(),
        )
    except StageStopped as stopped:
        return {"event": "stopped", "what": stopped.what}
    except Exception as error:  # an answer, so that other branches of the plan go on
        fault = store_fault(error)
        return {"event": "fault" if fault else "failed", **error_as_json(fault or error), "log": list(tail)}
    return {"event": end.status, "folder": str(end.folder), "seconds": end.seconds}
