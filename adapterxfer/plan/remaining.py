"""How much of a plan is done, and how long the rest may take. An estimate from operations, never a promise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from adapterxfer.errors import StoreError
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.devices import Device
from adapterxfer.plan.model import Plan
from adapterxfer.plan.rows import Row
from adapterxfer.plan.speed import FULL, Rates, read_speed, way_of
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.kinds import CHOICE, MERGED

SAMPLE = 200
"""Finished stages of a kind that are looked at for their speed; more would cost time and change little."""


START_S = 1.0
"""Seconds that a stage takes beside its operations: reading, assertions, writing."""

ASSUMED_S: Mapping[str, float] = {
    "prepare": 3.0, "report": 5.0, "predict": 1.0, "reuse_intermediate": 10.0, MERGED: 2.0, CHOICE: START_S,
}  # fmt: skip
"""Seconds of stages that compute next to nothing (predictions: of controls), as in the smallest studies."""

ASSUMED_EXAMPLES = 20_000
"""Of a training set whose size only its files say."""

UNKNOWN = "unknown"


class _Record(Protocol):
    @property
    def provenance(self) -> Mapping[str, Any]: ...


class _Store(Protocol):
    @property
    def root(self) -> Path: ...

    def completed(self) -> Mapping[str, Path]: ...

    def read(self, stage: Path) -> _Record: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEstimate:
    """One stage kind.

    Attributes:
        ready: not done, and all inputs are done.
        seconds: estimated time of what is not done, on one process; None where unknown.
        basis: ``measured`` (finished stages of this kind), ``declared`` (the recipe's tokens_per_second), ``probe``
            (`speed`), ``nominal`` (`devices`), ``assumed`` (`ASSUMED_S`), ``unknown``, or empty where nothing is left
            to do; ``in part`` where some have `ASSUMED_EXAMPLES`.
        memory_gb: the most that one of what is not done may take, in GiB; 0.0 where unknown.
    """

    kind: str
    count: int
    done: int
    ready: int
    waiting: int
    gflop: float
    seconds: float | None
    basis: str
    memory_gb: float = 0.0

    @property
    def hours(self) -> str:
        """The estimate as text."""
        if self.seconds is None:
            return "unknown"
        return f"{self.seconds / 3600:.2f} h" if self.seconds >= 36 else f"{self.seconds:.0f} s"

    @property
    def memory(self) -> str:
        """The peak of one stage as text."""
        return f"{self.memory_gb:.1f} GiB" if self.memory_gb else ""

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
            "estimated_peak_memory_gb": self.memory_gb or None,
        }


def estimate(plan: Plan, store: _Store, *, device: Device | None = None) -> list[KindEstimate]:
    """One entry per stage kind, in order of first appearance in the plan.

    Args:
        device: estimate for one that need not be here; what was measured here counts for nothing then.

    Raises:
        StoreError: what the store has of this machine's speed is damaged.
    """
    completed = store.completed()
    done = {key for key in plan.stages if key[:SHORT_KEY] in completed}
    ready = plan.stages.ready(done)
    groups: dict[str, list[tuple[Row, Sequence[str]]]] = defaultdict(list)
    for row, keys in plan.stages.rows.items():
        groups[row.kind].append((row, keys))
    speeds = _Speeds(plan, {} if device else read_speed(store.root), device)
    estimates = []
    for kind, rows in groups.items():
        finished = [key for _, keys in rows for key in keys if key in done]
        left = [_Left(row, left_keys) for row, keys in rows if (left_keys := [key for key in keys if key not in done])]
        sample = [(plan.stages[key], completed[key[:SHORT_KEY]]) for key in finished[:SAMPLE]]
        measured = None if device else _measured(sample, store)
        if not left:
            seconds: float | None = 0.0
            basis = ""
        elif measured is not None:
            per_gflop, mean = measured
            seconds = sum(
                len(group.keys) * (group.cost * per_gflop if group.cost and per_gflop else mean) for group in left
            )
            basis = "measured"
        else:
            seconds, basis = speeds.of(left)
        number = sum(len(group.keys) for group in left)
        startable = sum(len(ready.intersection(group.keys)) for group in left)
        estimates.append(
            KindEstimate(
                kind=kind,
                count=number + len(finished),
                done=len(finished),
                ready=startable,
                waiting=number - startable,
                gflop=sum(group.cost * len(group.keys) for group in left),
                seconds=seconds,
                basis=basis,
                memory_gb=max((group.row.resources.get("estimated_memory_gb", 0.0) for group in left), default=0.0),
            )
        )
    return estimates


class _Left(NamedTuple):
    """What is not done of a row."""

    row: Row
    keys: list[str]

    @property
    def cost(self) -> float:
        """Of each stage, in GFLOP."""
        return float(self.row.resources.get("cost", 0.0))


class _Speeds:
    """How fast stages of a plan are where none of their kind has run."""

    def __init__(self, plan: Plan, rates: Rates, device: Device | None) -> None:
        self._model = model = CostModel(plan.recipe, Backbones(plan.recipe).described)
        self._assumed: dict[tuple[str, str, int, int], float] = {}
        self._widths = {name: hidden for name, (hidden, _) in model.shapes.items()}
        self._rates, self._device = rates, device
        length = 128.0
        # Tokens per second of full fine-tuning, as operations per second.
        self._declared = {
            name: speed * 3 * model.forward(name, length) / 1e9 for name, speed in plan.recipe.tokens_per_second.items()
        }

    def of(self, left: list[_Left]) -> tuple[float | None, str]:
        """Seconds of these stages, one after the other, and what that is based on; None where a part is unknown."""
        costs: dict[tuple[str, str], float] = defaultdict(float)
        seconds = 0.0
        bases: set[str] = set()
        part = False
        for group in left:
            row, number = group.row, len(group.keys)
            backbone = row.labels.get("backbone") or ""
            if row.kind in ASSUMED_S and (not backbone or row.kind != "predict"):
                seconds += number * ASSUMED_S[row.kind]
                bases.add("assumed")
            else:
                part = part or not group.cost
                costs[backbone, way_of(row)] += number * (group.cost or self._assumed_cost(row, backbone))
                seconds += number * START_S
        for (backbone, way), cost in costs.items():
            rate, basis = self._rate(backbone, way)
            if not rate or not cost:
                return None, UNKNOWN
            seconds += cost / rate
            bases.add(basis)
        return seconds, " and ".join(sorted(bases - {"assumed"} or bases)) + (", in part" if part else "")

    def _assumed_cost(self, row: Row, backbone: str) -> float:
        """GFLOP of a training whose number of examples is known to nobody before they are read."""
        settings = row.identity.get("settings") or {}
        if "epochs" not in settings:
            return 0.0
        width = len(row.identity.get("fused") or ()) + 1
        memo = (backbone, way_of(row), id(settings), width)
        if memo not in self._assumed:
            steps = {"steps": settings["epochs"] * ASSUMED_EXAMPLES / settings["batch_size"]}
            frozen = way_of(row) != FULL
            self._assumed[memo] = self._model.training(backbone, settings | steps, (), frozen=frozen, width=width)
        return self._assumed[memo]

    def _rate(self, backbone: str, way: str) -> tuple[float, str]:
        """GFLOP per second of one process; 0.0 where unknown."""
        if self._device is not None:
            return self._device.gflops, "nominal"
        if backbone in self._declared:
            return self._declared[backbone], "declared"
        return self._rates.get(self._widths.get(backbone, 0), {}).get(way, 0.0), "probe"


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
