"""How much of a plan is done, and how long the rest may take. An estimate from operations, never a promise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from adapterxfer.errors import StoreError
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.model import Plan
from adapterxfer.store.keys import Stage

SAMPLE = 200
"""Finished stages of a kind that are looked at for their speed; more would cost time and change little."""


class _Record(Protocol):
    @property
    def provenance(self) -> Mapping[str, Any]: ...


class _Store(Protocol):
    def completed(self) -> Mapping[str, Path]: ...

    def read(self, stage: Path) -> _Record: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEstimate:
    """One stage kind.

    Attributes:
        ready: not done, and all inputs are done.
        seconds: estimated time of what is not done, on one process; None where unknown.
        basis: ``measured`` (finished stages of this kind), ``declared`` (the recipe's tokens_per_second), ``unknown``,
            or empty where nothing is left to do.
    """

    kind: str
    count: int
    done: int
    ready: int
    waiting: int
    gflop: float
    seconds: float | None
    basis: str

    @property
    def hours(self) -> str:
        """The estimate as text."""
        if self.seconds is None:
            return "unknown"
        return f"{self.seconds / 3600:.2f} h" if self.seconds >= 36 else f"{self.seconds:.0f} s"

    def as_json(self) -> dict[str, Any]:
        """JSON values; the estimate is labelled as such."""
        return {
            "kind": self.kind,
            "count": self.count,
            "done": self.done,
            "ready": self.ready,
            "waiting": self.waiting,
            "gflop": round(self.gflop, 3),
            "estimated_seconds": None if self.seconds is None else round(self.seconds, 1),
            "basis": self.basis,
        }


def estimate(plan: Plan, store: _Store) -> list[KindEstimate]:
    """One entry per stage kind, in order of first appearance in the plan."""
    completed = store.completed()
    done = {key for key, stage in plan.stages.items() if stage.short_key in completed}
    groups: dict[str, list[Stage]] = defaultdict(list)
    for stage in plan.stages.values():
        groups[stage.kind].append(stage)
    rates = _declared(plan)
    rows = []
    for kind, stages in groups.items():
        left = [stage for stage in stages if stage.key not in done]
        ready = sum(1 for stage in left if done.issuperset(stage.inputs.values()))
        finished = [(stage, completed[stage.short_key]) for stage in stages if stage.key in done]
        seconds, basis = _seconds(left, finished, rates, store)
        gflop = sum(float(stage.resources.get("cost", 0.0)) for stage in left)
        rows.append(
            KindEstimate(
                kind=kind,
                count=len(stages),
                done=len(finished),
                ready=ready,
                waiting=len(left) - ready,
                gflop=gflop,
                seconds=seconds,
                basis=basis,
            )
        )
    return rows


def _declared(plan: Plan) -> dict[str, float]:
    """Backbone -> GFLOP per second, from declared tokens per second of full fine-tuning."""
    model = CostModel(plan.recipe, Backbones(plan.recipe).described)
    length = 128.0
    return {
        name: speed * 3 * model.forward(name, length) / 1e9 for name, speed in plan.recipe.tokens_per_second.items()
    }


def _seconds(
    left: list[Stage], finished: list[tuple[Stage, Path]], rates: Mapping[str, float], store: _Store
) -> tuple[float | None, str]:
    if not left:
        return 0.0, ""
    measured = _measured(finished[:SAMPLE], store)
    if measured is not None:
        per_gflop, mean = measured
        costs = [float(stage.resources.get("cost", 0.0)) for stage in left]
        return sum(cost * per_gflop if cost and per_gflop else mean for cost in costs), "measured"
    total = 0.0
    for stage in left:
        if stage.kind in ("prepare", "report"):
            continue
        cost = float(stage.resources.get("cost", 0.0))
        rate = rates.get(str(stage.labels.get("backbone", "")))
        if not rate or (not cost and stage.labels.get("backbone")):
            if stage.labels.get("variant") == "control":
                continue
            return None, "unknown"
        total += cost / rate
    kinds = {stage.kind for stage in left}
    return (total, "declared") if kinds - {"prepare", "report"} else (None, "unknown")


def _measured(finished: list[tuple[Stage, Path]], store: _Store) -> tuple[float, float] | None:
    """Seconds per GFLOP and mean seconds of finished stages of one kind."""
    gflop = seconds = 0.0
    number = 0
    for stage, folder in finished:
        try:
            spent = float(store.read(folder).provenance["seconds"])
        except (StoreError, KeyError, TypeError, ValueError):
            continue
        gflop += float(stage.resources.get("cost", 0.0))
        seconds += spent
        number += 1
    if not number:
        return None
    return (seconds / gflop if gflop else 0.0), seconds / number
