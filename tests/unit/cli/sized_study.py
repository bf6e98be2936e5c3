"""A study over several sizes in a store: every prediction is planted, so that gains follow a law that is known."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from adapterxfer.data.examples import PairExample
from adapterxfer.metrics import METRICS
from adapterxfer.plan import Plan, build_plan
from adapterxfer.predict.table import write_predictions
from adapterxfer.recipe import load_recipe
from adapterxfer.store.provenance import provenance
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: sizes
title: A study over sizes
backbones: [s1, s2, s3, s4, s5, s6]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1, 2]
pretrain:
  corpus: {languages: [en], vocabulary: 600, alphabet: 100, holdout: 0.1, sequence_length: 38}
  series:
    s1: {hidden: 16, layers: 2, heads: 2}
    s2: {hidden: 32, layers: 2, heads: 2}
    s3: {hidden: 64, layers: 2, heads: 2}
    s4: {hidden: 128, layers: 2, heads: 2}
    s5: {hidden: 256, layers: 2, heads: 2}
    s6: {hidden: 512, layers: 2, heads: 2}
  tokens: 1000
  batch_sequences: 4
  learning_rate: 1e-3
train:
  default: {batch_size: 8, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 32, steps: 3}
  adapters: {learning_rate: 1e-2}
tasks:
  world-xnli: {languages: [en, a1, a2, b1, b2, c1, c2]}
controls: false
statistics: {resamples: 100}
"""
LANGUAGES = ("en", "a1", "a2", "b1", "b2", "c1", "c2")
SHIFT = {"a": 3.0, "b": 0.0, "c": -3.0, "e": 0.0}
"""Family -> planted deviation of its gain in points."""
ITEMS = 400


def write_recipe(folder: Path) -> Path:
    path = folder / "sizes.yaml"
    path.write_text(RECIPE)
    return path


def plant_sizes(recipe: Path, store: Path, gain: Callable[[int], float], backbones: Collection[str]) -> Plan:
    """Finish the predictions of some backbones.

    Args:
        gain: number of the size from 0 -> planted gain in points.
    """
    plan, ready = build_plan(load_recipe(recipe)), Store(store)
    ready.open()
    for stage in plan.stages.values():
        labels = stage.labels
        if labels.get("backbone") not in backbones or stage.kind not in ("predict", "train_target"):
            continue
        if stage.short_key in ready.completed():
            continue
        with ready.scratch(stage) as scratch:
            if stage.kind == "predict":
                _write(scratch, stage.key, int(str(labels["backbone"])[1:]) - 1, str(labels["intermediate"]),
                       int(labels["seed"]), gain)  # fmt: skip
            ready.commit(stage, scratch, result={}, provenance=provenance(seconds=0.0))
    return plan


def _write(folder: Path, key: str, size: int, intermediate: str, seed: int, gain: Callable[[int], float]) -> None:
    treated = intermediate != "none"
    rng = np.random.default_rng([size, seed, int(treated)])
    ease = np.random.default_rng(7).normal(0.0, 0.1, ITEMS) + 0.45 + 0.03 * size + rng.normal(0.0, 0.005)
    examples, predictions = [], []
    for language in LANGUAGES:
        share = ease + 0.01 * treated * (gain(size) + SHIFT[language[0]])
        right = rng.random(ITEMS) < share
        examples += [PairExample(f"p{i}", f"p{i}", language, "a text", None, "yes") for i in range(ITEMS)]
        predictions += ["yes" if value else "no" for value in right]
    metadata = {"stage_key": key, "task": "world-xnli", "format": "sequence_classification", "protocol": "accuracy"}
    write_predictions(folder, examples, predictions, METRICS["accuracy"], metadata=metadata)
