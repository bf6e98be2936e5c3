"""A group of seeds in a real plan and store: trained once, taken by each seed, predicted; one of them breaks down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.engines.worker import run_stage
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe
from adapterxfer.stages import together
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seeds_together import train_together

RECIPE = """
recipe: 1
name: together
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-pos]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2, 3]
train:
  default: {batch_size: 4, steps: 12, learning_rate: 3e-3, max_length: 48, seeds_together: true}
tasks:
  world-pos: {train_examples: 48, dev_examples: 8, test_examples: 8, languages: [en, a1]}
  world-nli: {train_examples: 48, dev_examples: 8}
controls: false
"""


def test_only_the_seed_that_diverged_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(models: Mapping[int, Any], *rest: Any, **options: Any) -> Any:
        if len(next(iter(models.values())).composition.adapters) == 2:
            with torch.no_grad():
                models[2].adapters["t00"][0].down.weight.fill_(torch.inf)
        return train_together(models, *rest, **options)

    monkeypatch.setattr(together, "train_together", broken)
    plan = build_plan(parse_recipe(RECIPE))
    store = Store(tmp_path / "store")
    store.open()
    left_out: list[Stage] = []
    diverged = []
    for stage in plan.stages.values():
        if stage.kind == "report" or {other.key for other in left_out} & set(stage.inputs.values()):
            left_out.append(stage)
            continue
        try:
            assert run_stage(stage, store=store, settings={}).status == "finished"
        except DivergedError as error:
            diverged.append((stage.kind, stage.labels["variant"], stage.labels["seed"], error.what))
            left_out.append(stage)
    ((kind, variant, seed, what),) = diverged
    assert (kind, variant, seed) == ("train_target", "stack", 2)
    assert "training diverged" in what
    assert {stage.kind for stage in left_out} == {"train_target", "predict", "report"}
    predicted = [stage for stage in plan.stages.values() if stage.kind == "predict" and store.find(stage) is not None]
    assert sorted((stage.labels["variant"], stage.labels["seed"]) for stage in predicted) == [
        ("adapter", 1), ("adapter", 2), ("adapter", 3), ("stack", 1), ("stack", 3),
    ]  # fmt: skip
    (group,) = [s for s in plan.stages.values() if s.kind == "train_together" and s.labels["variant"] == "stack"]
    record = store.read(group)
    assert "failed" in record.result["seeds"]["2"]
    assert record.result["seeds"]["3"]["together"] == {"seeds": [1, 2, 3], "seed": 3}
    own = [s for s in plan.stages.values() if s.kind == "train_intermediate"]
    assert [store.read(stage).result["together"]["seed"] for stage in own] == [1, 2, 3]
    lines = [json.loads(line) for line in (store.folder(group) / "log.jsonl").read_text().splitlines()]
    assert {line["seed"] for line in lines if "diverged" in line} == {2}
