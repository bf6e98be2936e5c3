"""Where the numbers come from: library versions of the stages behind them, and what pretraining reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.report.content import BackboneFacts
from adapterxfer.report.display import UNTRAINED_SUFFIX, Cell
from adapterxfer.store.record import STAGE_FILE, read_record
from adapterxfer.world.backbones import backbone_index

PRETRAINING_FILE = "pretraining.json"


def library_versions(folders: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Library -> versions that made the predictions in these folders; more than one is a reason for caution."""
    versions: dict[str, set[str]] = {}
    for folder in folders.values():
        if not (folder / STAGE_FILE).is_file():
            continue
        for name, version in dict(read_record(folder).provenance.get("libraries", {})).items():
            versions.setdefault(str(name), set()).add(str(version))
    return {name: tuple(sorted(versions)) for name, versions in sorted(versions.items())}


def stage_result(folder: Path) -> Mapping[str, Any]:
    """The summary that a predict stage returned; empty for predictions without a record."""
    return read_record(folder).result if (folder / STAGE_FILE).is_file() else {}


def training_gflop(folder: Path) -> float | None:
    """Estimated operations of the trainings behind the predictions in a folder; None where nobody recorded them."""
    gflop = stage_result(folder).get("training_gflop")
    return float(gflop) if gflop else None


def pretraining_diagnostics(folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Backbone -> content of its ``pretraining.json``, for backbones that this study pretrained."""
    return {
        name: json.loads((folder / PRETRAINING_FILE).read_text(encoding="utf-8"))
        for name, folder in folders.items()
        if (folder / PRETRAINING_FILE).is_file()
    }


def backbone_facts(
    cells: tuple[Cell, ...], diagnostics: Mapping[str, Mapping[str, Any]], quantized: Mapping[str, str]
) -> tuple[BackboneFacts, ...]:
    """Every backbone of the study by size, each with its untrained twin after it."""
    facts = {}
    for cell in cells:
        if cell.backbone and cell.backbone not in facts:
            facts[cell.backbone] = BackboneFacts(
                name=cell.backbone,
                parameters=cell.parameters,
                non_embedding_parameters=cell.non_embedding_parameters,
                untrained=cell.backbone.endswith(UNTRAINED_SUFFIX),
                diagnostics=_numbers(diagnostics.get(cell.backbone, {})),
                weights=quantized.get(cell.backbone, ""),
            )
    order = sorted(facts.values(), key=lambda f: (f.non_embedding_parameters or f.parameters, f.untrained, f.name))
    return tuple(order)


def world_diagnostics() -> dict[str, dict[str, Any]]:
    """What is known about the backbones of the embedded world, from the index that ships with their weights."""
    try:
        return backbone_index()
    except FileNotFoundError:
        return {}


_NAMES = {"heldout_mlm": "mlm", "heldout_unigram": "unigram", "heldout_shuffled": "shuffled"}
"""Names in the index of the world -> names in ``pretraining.json``."""


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a pretraining record: top level, ``heldout``, and the marker cloze in English and elsewhere."""
    flat: dict[str, float] = {}
    settings = record.get("settings")
    rate = settings.get("learning_rate") if isinstance(settings, Mapping) else None
    for source in ({"learning_rate": rate}, record, record.get("heldout")):
        for name, value in source.items() if isinstance(source, Mapping) else ():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                flat[_NAMES.get(str(name), str(name))] = float(value)
    health = record.get("health")
    cloze = (health if isinstance(health, Mapping) else record).get("marker_cloze")
    if isinstance(cloze, Mapping):
        flat |= {f"marker_cloze_{name}": float(cloze[name]) for name in ("en", "zero-shot") if name in cloze}
    return dict(sorted(flat.items()))
