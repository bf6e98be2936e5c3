"""Predictions that are written down, with their hash, before the run they are about; and their score after it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.report.law import LawOfGain
from adapterxfer.report.law_data import GainSeries
from adapterxfer.statistics.laws import PredictiveMixture
from adapterxfer.store.keys import digest

SCHEMA = 1
SAME_SIZE = 0.05
"""Largest relative difference of two sizes that count as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One prediction beside what was measured, in points.

    Attributes:
        share_below: probability that the prediction gave to a smaller outcome.
        log_density: of the outcome; higher is better.
        before: whether everything measured was trained after the prediction was registered; None where that is unknown.
    """

    variant: str
    kind: str
    name: str
    backbone: str
    parameters: float
    value: float
    low: float
    high: float
    measured: float
    inside: bool
    share_below: float
    log_density: float
    before: bool | None


def registration(
    laws: Sequence[LawOfGain], *, recipe: str, recipe_digest: str, level: float, version: str, now: datetime
) -> dict[str, Any]:
    """Content of a file of predictions, with its sha256.

    Raises:
        DataError: nothing is predicted, or a backbone of such a size is among those measured.
    """
    if not any(law.expected for law in laws):
        raise DataError("law --register: nothing is predicted", fix="add --at PARAMETERS")
    for law in laws:
        for item in law.expected:
            close = _close(law.series, item.parameters)
            if item.kind != "language" and close:
                raise DataError(
                    f"law --register: {close[0]} has about {item.parameters:.3g} parameters and is measured already",
                    fix="predict another size, or leave that backbone out with --only",
                )
    content = {
        "schema": SCHEMA,
        "recipe": recipe,
        "recipe_digest": recipe_digest,
        "version": version,
        "registered_at": now.isoformat(timespec="seconds"),
        "level": level,
        "series": [
            {
                "variant": law.series.variant,
                "backbones": dict(zip(law.series.backbones, law.series.parameters, strict=True)),
                "pairs": [list(pair) for pair in law.series.pairs],
                "languages": list(law.series.languages),
                "families": list(law.series.families),
                "effects": law.series.effects.tolist(),
                "expected": [_plain(asdict(item)) for item in law.expected],
            }
            for law in laws
        ],
    }
    return {**content, "sha256": digest(content)}


def write_registration(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of predictions; one that is there is never replaced.

    Raises:
        DataError: it exists, or its folder does not.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
    except FileExistsError:
        raise DataError(f"{path}: exists; a registered prediction is not replaced", fix="choose another name") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", fix="give a file in a folder that exists") from None


def read_registration(path: Path) -> dict[str, Any]:
    """Read a file of predictions and check that it is as it was registered.

    Raises:
        DataError: it is not there, of another kind, or was edited.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        claimed = content.pop("sha256")
        if content["schema"] != SCHEMA or not isinstance(content["series"], list):
            raise ValueError("another schema")
        same = digest(content) == claimed
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", fix="give a file that `law --register` wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: no registered prediction ({error})", fix="give a file that `law --register` wrote"
        ) from None
    if not same:
        raise DataError(
            f"{path}: was changed after it was registered: its sha256 does not match",
            fix="score the file as it was written",
        )
    return dict(content, sha256=claimed)


def score_registration(
    content: Mapping[str, Any],
    series: Sequence[GainSeries],
    finished: Mapping[str, datetime | None],
    *,
    kinds: Sequence[str],
) -> tuple[list[Scored], list[str]]:
    """Compare predictions with what was measured since.

    Args:
        content: of `read_registration`.
        series: of the study now, on the registered pairs and languages.
        kinds: of the predictions that are scored.
        finished: backbone -> when the first of its trained models was finished; None where that is unknown.

    Returns:
        A row for every prediction that can be scored, and why others cannot.
    """
    registered_at = datetime.fromisoformat(content["registered_at"])
    rows: list[Scored] = []
    missing: list[str] = []
    now = {item.variant: item for item in series}
    for record in content["series"]:
        variant = str(record["variant"])
        current = now.get(variant)
        for item in (prediction for prediction in record["expected"] if prediction["kind"] in kinds):
            label = " ".join(filter(None, [variant, item["kind"], item["name"], f"at {item['parameters']:.3g}"]))
            known = set(record["backbones"]) if item["kind"] != "language" else set()
            names = [] if current is None else _close(current, item["parameters"])
            names = [name for name in names if name not in known]
            if current is None or not names:
                missing.append(f"{label}: no backbone of this size is measured yet")
                continue
            rows += [
                row
                for name in names
                if (row := _row(item, current, name, variant, registered_at, finished.get(name))) is not None
            ]
            if item["kind"] == "language" and item["name"] not in current.languages:
                missing.append(f"{label}: this language is not measured yet")
    return rows, missing


def _row(
    item: Mapping[str, Any],
    series: GainSeries,
    backbone: str,
    variant: str,
    registered_at: datetime,
    finished: datetime | None,
) -> Scored | None:
    column = series.backbones.index(backbone)
    members = list(range(len(series.languages)))
    if item["kind"] == "family":
        members = [k for k in members if series.families[k] == item["name"]]
    elif item["kind"] == "language":
        members = [k for k in members if series.languages[k] == item["name"]]
    if not members:
        return None
    measured = float(series.by_language[members, column].mean())
    if item["kind"] == "mean":
        measured = float(series.effects[column])
    mixture = PredictiveMixture(**{name: np.array(values) for name, values in item["distribution"].items()})
    return Scored(
        variant=variant, kind=item["kind"], name=item["name"], backbone=backbone, parameters=item["parameters"],
        value=item["value"], low=item["low"], high=item["high"], measured=measured,
        inside=item["low"] <= measured <= item["high"], share_below=mixture.below(measured),
        log_density=mixture.log_density(measured), before=None if finished is None else registered_at < finished,
    )  # fmt: skip


def _close(series: GainSeries, parameters: float) -> list[str]:
    limit = math.log(1.0 + SAME_SIZE)
    return [
        name
        for name, size in zip(series.backbones, series.parameters, strict=True)
        if abs(math.log(size / parameters)) <= limit
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return value
