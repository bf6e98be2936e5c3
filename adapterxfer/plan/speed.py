"""How fast a machine trains and predicts, measured once and kept in the store: ``store/speed.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from adapterxfer.errors import StoreError
from adapterxfer.plan.cost import non_embedding_parameters
from adapterxfer.plan.rows import Row
from adapterxfer.store.files import write_json
from adapterxfer.store.keys import Stage
from adapterxfer.store.provenance import host_facts
from adapterxfer.store.sealing import seal_broken, sealed

FILE = "speed.json"
SCHEMA = 1

FULL, FROZEN, PREDICT = "full", "frozen", "predict"
"""Ways of working: all weights train, the backbone is frozen, nothing trains."""

LAYERS, LENGTH = 2, 64
"""Layers and tokens of a text in the measurement."""

PASSES = {FULL: 3.0, FROZEN: 2.0, PREDICT: 1.0}
"""Forward passes that a way of working counts as, see `cost`."""

Rates = Mapping[int, Mapping[str, float]]
"""Width -> way of working -> GFLOP per second of one process."""


def way_of(stage: Stage | Row) -> str:
    """How a stage works."""
    if stage.kind == "predict":
        return PREDICT
    whole = stage.kind == "pretrain" or stage.identity.get("mode") == "full"
    return FULL if whole else FROZEN


def gflops(way: str, hidden: int, tokens_per_second: float) -> float:
    """GFLOP/s from the speed of the measured layers, in the operations that `cost` counts."""
    forward = 2 * non_embedding_parameters(hidden, LAYERS) + 4 * LAYERS * hidden * LENGTH
    return tokens_per_second * PASSES[way] * forward / 1e9


def read_speed(store: Path) -> Rates:
    """What was measured on this kind of machine; empty for nothing.

    Raises:
        StoreError: the record is damaged.
    """
    path = store / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if seal_broken(record) or record["schema"] != SCHEMA:
            raise ValueError
        if record["host"] != _host():
            return {}
        return {int(width): dict(rates) for width, rates in record["gflops"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StoreError(f"{path}: damaged record", fix="delete the file and measure again: plan --measure") from None


def write_speed(store: Path, rates: Rates, *, processes: int) -> None:
    """Keep a measurement beside what the store has of other widths of this machine.

    Args:
        processes: that worked side by side while it was made.

    Raises:
        StoreError: the store cannot be written.
    """
    both = {**read_speed(store), **rates}
    content = {
        "schema": SCHEMA,
        "host": _host(),
        "processes": processes,
        "gflops": {str(width): {way: round(rate, 2) for way, rate in both[width].items()} for width in sorted(both)},
    }
    try:
        store.mkdir(parents=True, exist_ok=True)
        write_json(store / FILE, sealed(content))
    except OSError as error:
        raise StoreError(f"{store}: cannot be written ({error.strerror})", fix="choose another --store") from error


def _host() -> dict[str, object]:
    return {name: value for name, value in host_facts().items() if name != "python"}
