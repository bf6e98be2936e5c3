"""A small study whose gains are planted: prediction files written as a predict stage would write them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapterxfer.report.display import Cell

LANGUAGES = {
    "en": {"name": "English", "family": "A", "resource": "high"},
    "a1": {"name": "Arden", "family": "A", "resource": "high"},
    "a3": {"name": "Ansk", "family": "A", "resource": "low"},
    "c1": {"name": "Chukan", "family": "C", "resource": "high"},
    "c3": {"name": "Komsha", "family": "C", "resource": "low"},
}
SIZES = {"tiny-1": (200_000, 60_000), "tiny-2": (330_000, 150_000), "tiny-3": (740_000, 450_000)}
GainOf = Callable[[str, str, str, str, str], float]
"""(backbone, variant, intermediate, target, language) -> planted gain in points."""


@dataclass(frozen=True)
class PlantedStudy:
    cells: list[Cell]
    folders: dict[str, Path]
    languages: dict[str, dict[str, str]]

    @property
    def labels(self) -> list[dict[str, Any]]:
        names = Cell.__dataclass_fields__
        return [{name: getattr(cell, name) for name in names} for cell in self.cells]


def write_accuracy(
    folder: Path,
    correct: dict[str, np.ndarray],
    *,
    target: str,
    salt: str = "",
    metric: str = "accuracy",
    stage_key: str = "0" * 64,
) -> None:
    """Write one predictions.parquet with a count of 0 or 1 per example and language."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("language", "example_id", "cluster_id", "prediction", "gold")
    }
    counts: list[int] = []
    for language in sorted(correct):
        values = correct[language]
        ids = [f"{target}-{index}" for index in range(len(values))]
        columns["language"] += [language] * len(values)
        columns["example_id"] += ids
        columns["cluster_id"] += ids
        columns["prediction"] += ["yes" if value else "no" for value in values]
        columns["gold"] += ["yes"] * len(values)
        counts += values.astype(int).tolist()
    gold = json.dumps([columns["language"], columns["example_id"], columns["gold"], salt])
    metadata = {
        "schema": 1,
        "stage_key": stage_key,
        "task": target,
        "format": "sequence_classification",
        "metric": metric,
        "protocol": {"split": "test"},
        "gold_fingerprint": hashlib.sha256(gold.encode()).hexdigest(),
    }
    table = pa.table(
        {
            "language": pa.array(columns["language"]).dictionary_encode(),
            **{name: pa.array(columns[name]) for name in ("example_id", "cluster_id", "prediction", "gold")},
            "correct": pa.array(counts, type=pa.int32()),
            "total": pa.array([1] * len(counts), type=pa.int32()),
        }
    ).replace_schema_metadata({"adapterxfer": json.dumps(metadata)})
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "predictions.parquet")


def plant(
    root: Path,
    gain: GainOf,
    *,
    examples: int = 160,
    seeds: tuple[int, ...] = (1, 2),
    variants: tuple[str, ...] = ("full-ft", "stack", "fuse"),
    intermediates: tuple[str, ...] = ("none", "nli"),
    targets: tuple[str, ...] = ("xnli", "panx"),
    sizes: dict[str, tuple[int, int]] | None = None,
    languages: dict[str, dict[str, str]] | None = None,
    random_seed: int = 0,
) -> PlantedStudy:
    """Write a study: accuracy 55 + 5 per size step + the planted gain, with shared example difficulty."""
    rng = np.random.default_rng(random_seed)
    sizes = sizes or SIZES
    languages = languages or LANGUAGES
    cells: list[Cell] = []
    folders: dict[str, Path] = {}
    for target in targets:
        difficulty = {code: rng.standard_normal(examples) for code in languages}
        for step, (backbone, (total, encoder)) in enumerate(sizes.items()):
            for variant in variants:
                for intermediate in intermediates:
                    for seed in seeds:
                        shared = variant != "full-ft" and intermediate == "none"
                        name = f"{target}-{backbone}-{'adapter' if shared else variant}-{intermediate}-{seed}"
                        cells.append(
                            Cell(
                                backbone=backbone,
                                parameters=total,
                                non_embedding_parameters=encoder,
                                variant=variant,
                                adapter="" if variant == "full-ft" else "seq_bn/2",
                                intermediate=intermediate,
                                target=target,
                                seed=seed,
                                predict=name,
                            )
                        )
                        if name in folders:
                            continue
                        correct = {}
                        for code in languages:
                            extra = (
                                0.0 if intermediate == "none" else gain(backbone, variant, intermediate, target, code)
                            )
                            share = (55 + 5 * step + extra) / 100
                            latent = 0.8 * difficulty[code] + 0.6 * rng.standard_normal(examples)
                            correct[code] = latent < _normal_quantile(share)
                        folders[name] = root / "predict" / name
                        write_accuracy(folders[name], correct, target=target)
    return PlantedStudy(cells, folders, languages)


def _normal_quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)
