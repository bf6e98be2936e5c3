"""What mixed trainings were declared to draw and what they drew: steps by task, examples by language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL_FILE = "model.json"
ROLE = "mixed."
"""Beginning of the roles under which a report stage gets mixed intermediate trainings; a number and the name follow."""

TOLERANCE = 0.01
"""Largest difference between a declared and a realised share that passes without a caution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One share of one mixed intermediate training, over all its trainings in the study.

    Attributes:
        intermediate: name on the axis.
        share_of: ``steps`` (between tasks), or ``TASK`` whose examples are drawn from several languages.
        part: the task or language.
        declared: share meant; the same in all trainings.
        low, high: smallest and largest share drawn.
        trainings: how many.
    """

    intermediate: str
    share_of: str
    part: str
    declared: float
    low: float
    high: float
    trainings: int

    @property
    def off(self) -> float:
        """Largest distance from the declared share."""
        return max(abs(self.low - self.declared), abs(self.high - self.declared))


def read_sampling(inputs: Mapping[str, Path]) -> tuple[Sampled, ...]:
    """Shares in the descriptions of mixed trainings.

    Args:
        inputs: role -> folder of a report stage; roles of other kinds are left alone.
    """
    seen: dict[tuple[str, str, str, float], list[float]] = {}
    for role, folder in inputs.items():
        if not role.startswith(ROLE):
            continue
        name = role.removeprefix(ROLE).partition(".")[2]
        described = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        for share_of, drawn_from, share in _shares(described["training"].get("sampling") or {}):
            seen.setdefault((name, share_of, drawn_from, float(share["declared"])), []).append(float(share["realised"]))
    return tuple(
        Sampled(
            intermediate=name,
            share_of=share_of,
            part=drawn_from,
            declared=declared,
            low=min(drawn),
            high=max(drawn),
            trainings=len(drawn),
        )
        for (name, share_of, drawn_from, declared), drawn in seen.items()
    )


def _shares(sampling: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    for name, share in (sampling.get("tasks") or {}).items():
        yield "steps", name, share
    for task, languages in (sampling.get("languages") or {}).items():
        for name, share in languages.items():
            yield task, name, share
