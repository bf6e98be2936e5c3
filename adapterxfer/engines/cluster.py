"""What engines of clusters share: their settings as texts, what a stage asks for, and how many are handed over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from adapterxfer.engines.events import Listener, PlanLike
from adapterxfer.engines.gpus import gpus_of
from adapterxfer.engines.ledger import Ledger
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

Settings = TypeVar("Settings")

CONVERSIONS: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
"""Annotation of a settings field -> how its value is read."""


def read_settings(engine: str, kind: type[Settings], texts: Mapping[str, str]) -> Settings:
    """A settings dataclass from ``--engine-set KEY=VALUE``.

    Args:
        kind: a dataclass whose fields are annotated as texts or numbers.

    Raises:
        AdapterxferError: an unknown key, a value that is no number, or a negative one.
    """
    known = {str(setting.name): CONVERSIONS[str(setting.type)] for setting in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(texts) - set(known))
    if unknown:
        raise AdapterxferError(
            f"engine {engine}: no setting {', '.join(unknown)}", fix=f"known: {', '.join(sorted(known))}"
        )
    values = {}
    for key, text in texts.items():
        try:
            values[key] = known[key](text)
        except ValueError as error:
            raise AdapterxferError(f"engine {engine}: {key}: {error}", fix="give a number") from None
        if not isinstance(values[key], str) and not 0 <= values[key] < math.inf:
            raise AdapterxferError(f"engine {engine}: {key}: {text} is no number from 0", fix="leave the setting out")
    return kind(**values)


class ClusterPass(Ledger):
    """The books of a pass whose stages run elsewhere.

    Args:
        handed: what every stage is told: store, settings, registry.
        memory_gb: of a stage whose plan declares none, in GiB; 0 for no limit.
    """

    def __init__(
        self, plan: PlanLike, store: Store, listener: Listener, handed: Mapping[str, Any], memory_gb: float
    ) -> None:
        super().__init__(plan, store, listener)
        self.handed, self.memory_gb = handed, memory_gb

    def note_signal(self, number: int) -> None:
        """A signal asks the driver to end."""
        self.interrupted = number

    def startable(self, room: int) -> Iterator[Stage]:
        """At most ``room`` stages whose inputs have results, those with the most work behind them first."""
        while room > 0 and len(self.schedule):
            stage = self.schedule.take()
            assert stage is not None
            if stage.key not in self.failed and stage.key not in self.blocked:
                room -= 1
                yield stage

    def message(self, stage: Stage) -> dict[str, Any]:
        """What `adapterxfer.engines.remote.run_remote` is called with."""
        return {"stage": stage.as_json(), "attempt": self.attempts.get(stage.key, 0) + 1, **self.handed}

    def needs(self, stage: Stage) -> tuple[int, float]:
        """GPUs, and memory in GiB (0: not said)."""
        return gpus_of(stage, self.handed["settings"]), float(stage.resources.get("memory_gb") or self.memory_gb)
