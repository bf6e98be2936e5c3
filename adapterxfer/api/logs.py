"""What a run from Python says through `logging`, under the name of the package: for notebooks and services.

Nothing is printed unless the caller asks for it: ``logging.basicConfig(level=logging.INFO)``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapterxfer.engines.events import StageEvent

LOGGER = logging.getLogger("adapterxfer")
LOGGER.addHandler(logging.NullHandler())


def log_event(event: StageEvent) -> None:
    """One record for a stage that started, ended, failed or was tried again; its steps at the level of debugging."""
    from adapterxfer.engines.events import describe

    name, detail = describe(event.stage), event.detail
    if event.kind == "finished":
        LOGGER.info("finished: %s (%.1f s)", name, event.seconds)
    elif event.kind in ("started", "waiting"):
        LOGGER.info("%s: %s", event.kind, name)
    elif event.kind == "failed":
        LOGGER.error("failed: %s: %s", name, detail.get("what", detail.get("error", "")))
    elif event.kind == "retried":
        LOGGER.warning("tried again: %s: its process died (%s)", name, detail.get("cause", "unknown"))
    elif event.kind == "blocked":
        LOGGER.warning("not tried: %s: an input of it has failed", name)
    elif event.kind == "progress":
        LOGGER.debug("%s: %s", name, dict(detail))
