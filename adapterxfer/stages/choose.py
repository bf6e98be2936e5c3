"""Executor of `choose`: the value with the best English development score. Torch-free.

Artefact: ``choice.json``, see docs/learning-rates.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from adapterxfer.errors import StageError
from adapterxfer.stages.chosen import CHOICE_FILE
from adapterxfer.stages.context import StageContext

SCORE_FILE = "score.json"
"""In the folder of a candidate."""

TRIED = "candidate."
SCHEMA = 1
ENGLISH = ["en"]


def execute(context: StageContext) -> dict[str, Any]:
    """Compare the candidates and write the choice.

    Raises:
        StageError: every value diverged, or a candidate was scored on more than English development data.
    """
    identity = context.stage.identity
    folders = [folder for role, folder in sorted(context.inputs.items()) if role.startswith(TRIED)]
    scores = [_read(folder) for folder in folders]
    rows = compared(identity["candidates"], scores, names=list(identity["grid"]))
    best = choose(rows)
    if best is None:
        reasons = next((score["diverged"] for score in scores if score["diverged"]), "no score is a number")
        tried = "; ".join(_words(row["values"]) for row in rows)
        raise StageError(
            f"choice {context.stage.slug}: all of {tried} diverged, so none can be chosen; the first: {reasons}",
            fix="name smaller learning rates in the grid of the recipe, or clip: 1",
        )
    chosen = rows[best]["values"]
    record = {
        "schema": SCHEMA,
        "by": identity["by"],
        "languages": ENGLISH,
        "grid": dict(identity["grid"]),
        "chosen": chosen,
        "edge": edges(identity["grid"], chosen),
        "candidates": rows,
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (context.scratch / CHOICE_FILE).write_text(text + "\n", encoding="utf-8")
    context.log({"chosen": chosen, "dev_score": rows[best]["dev_score"]})
    return {"chosen": chosen, "edge": record["edge"], "dev_score": rows[best]["dev_score"]}


def compared(
    candidates: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]], *, names: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per combination of values, in the order of the candidates: its scores by seed, and their mean.

    A value that diverged with one of its seeds has no mean.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for candidate, score in zip(candidates, scores, strict=True):
        values = {name: candidate[name] for name in names}
        row = rows.setdefault(tuple(values.values()), {"values": values, "by_seed": {}})
        row["by_seed"][str(candidate["seed"])] = score["dev_score"]
    for row in rows.values():
        numbers = list(row["by_seed"].values())
        row["dev_score"] = None if None in numbers else fmean(numbers)
    return list(rows.values())


def choose(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Position of the best mean; of equal ones the smaller learning rate, then the fewer steps. None for no score."""
    known = [number for number, row in enumerate(rows) if row["dev_score"] is not None]
    if not known:
        return None

    def order(number: int) -> tuple[float, float, float]:
        values = rows[number]["values"]
        return (-rows[number]["dev_score"], values.get("learning_rate", 0.0), values.get("steps", 0))

    return min(known, key=order)


def edges(grid: Mapping[str, Sequence[float]], chosen: Mapping[str, float]) -> dict[str, float]:
    """Setting -> the value to try next, where the chosen one is the first or last of its grid: the step of the grid
    there, continued, to one digit.
    """
    beyond: dict[str, float] = {}
    for name, values in grid.items():
        low, high = values[0], values[-1]
        if chosen[name] == low:
            beyond[name] = float(f"{low * low / values[1]:.1g}")
        elif chosen[name] == high:
            beyond[name] = float(f"{high * high / values[-2]:.1g}")
    if "steps" in beyond:
        beyond["steps"] = max(1, round(beyond["steps"]))
    return beyond


def _words(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / SCORE_FILE).read_text(encoding="utf-8"))
    if record["languages"] != ENGLISH:
        raise StageError(
            f"{folder}: scored on development data in {', '.join(record['languages'])}; only English may choose",
            fix="remove the folder and run the recipe again",
        )
    return record
