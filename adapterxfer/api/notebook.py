"""What a run shows in a notebook while it goes on: one output that is drawn again, with the stages in work.

IPython is no requirement of this package: it is taken where a notebook has it loaded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from adapterxfer.api.logs import log_event

if TYPE_CHECKING:
    from adapterxfer.engines.events import StageEvent

REDRAWN_S = 0.25
"""Shortest time between two drawings for steps of a training: a notebook stores and sends each of them."""

MOST_SHOWN = 8
"""Stages in work, and failed ones, that are named."""


def notebook_listener(title: str, stages: Collection[str], completed: Collection[str]) -> NotebookProgress | None:
    """Something that shows the events of a run, where this is a notebook; None elsewhere.

    Args:
        title: the name of the study.
        stages: short keys of all stages of the plan.
        completed: short keys of the stages that the store has.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if ipython is None or not hasattr(shell, "kernel"):  # a terminal's IPython has no kernel, and no outputs to redraw
        return None
    done = sum(key in completed for key in stages)
    return NotebookProgress(title, len(stages), done, ipython.display.display)


class NotebookProgress:
    """Draws one output anew for each event; the logger is told as well.

    Args:
        total: stages of the plan.
        done: of them, those with results.
        display: ``IPython.display.display``.
    """

    def __init__(self, title: str, total: int, done: int, display: Callable[..., Any]) -> None:
        self.title, self.total, self.done = title, total, done
        self.running: dict[str, str] = {}
        self.steps: dict[str, str] = {}
        self.failed: list[str] = []
        self._drawn = time.monotonic()
        self._handle = display(self._picture(), raw=True, display_id=True)

    def __call__(self, event: StageEvent) -> None:
        """Take one event of the engine."""
        from adapterxfer.engines.events import describe

        log_event(event)
        key, kind, detail = event.stage.key, event.kind, event.detail
        if kind == "started":
            self.running[key] = describe(event.stage)
        elif kind == "progress" and "step" in detail:
            loss = f", loss {detail['loss']:.2f}" if isinstance(detail.get("loss"), float) else ""
            self.steps[key] = f"step {detail['step']} of {detail.get('steps', '?')}{loss}"
        elif kind in ("finished", "failed", "reused"):
            self.running.pop(key, None)
            self.steps.pop(key, None)
            self.done += kind == "finished"
            if kind == "failed":
                self.failed.append(f"{describe(event.stage)}: {detail.get('what', detail.get('error', ''))}")
        if kind not in ("progress", "reused") or time.monotonic() - self._drawn >= REDRAWN_S:
            self._drawn = time.monotonic()
            self._handle.update(self._picture(), raw=True)

    def _picture(self) -> dict[str, str]:
        """For a browser, and one line for what shows no HTML."""
        from adapterxfer.report.notebook import facts_html, progress_html

        count = f"{self.done} of {self.total} stages"
        facts: dict[str, object] = {"finished": count}
        for key, name in list(self.running.items())[:MOST_SHOWN]:
            facts[name] = self.steps.get(key, "in work")
        if len(self.running) > MOST_SHOWN:
            facts["also in work"] = len(self.running) - MOST_SHOWN
        if self.failed:
            facts["failed"] = "; ".join(self.failed[:MOST_SHOWN])
        html = facts_html(f"Run of {self.title}", facts) + progress_html(self.done, self.total)
        return {"text/html": html, "text/plain": f"Run of {self.title}: {count}"}
