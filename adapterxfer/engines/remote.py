"""One stage on whichever machine an engine chose: a message in, a small answer out, nothing raised."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from adapterxfer.engines.faults import store_fault
from adapterxfer.engines.wire import error_as_json
from adapterxfer.engines.worker import run_stage
from adapterxfer.store.failures import LOG_LINES
from adapterxfer.store.keys import Stage
from adapterxfer.store.redaction import redacted_line
from adapterxfer.store.store import Store


def run_remote(message: Mapping[str, Any], *inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Run one stage and commit it; a stage that another run makes is waited for and then found.

    Args:
        message: ``stage``, ``store``, ``settings``, ``registry``, ``attempt``.
        inputs: answers of the stages that this one waits for.

    Returns:
        ``{event: "finished" | "reused", folder, seconds}``, ``{event: "failed" | "fault", error, what, fix, log,
        traceback}``, or ``{event: "blocked"}`` where an input has no result.
    """
    if any(answer["event"] not in ("finished", "reused") for answer in inputs):
        return {"event": "blocked"}
    tail: deque[str] = deque(maxlen=LOG_LINES)
    try:
        end = run_stage(
            Stage.from_json(message["stage"]),
            store=Store(message["store"]),
            settings=message["settings"],
            registry=message["registry"],
            report=lambda line: tail.append(redacted_line(line)),
            attempt=message["attempt"],
        )
    except Exception as error:  # an answer, so that other branches of the plan go on
        fault = store_fault(error)
        return {"event": "fault" if fault else "failed", **error_as_json(fault or error), "log": list(tail)}
    return {"event": end.status, "folder": str(end.folder), "seconds": end.seconds}
