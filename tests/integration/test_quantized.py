"""A study on a backbone with linear maps in 4 or 8 bits: adapters and LoRA learn, the backbone stays, bundles open."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.quantized import LIBRARIES
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import BundleError
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: few-bits
title: Weights in few bits
backbones: [tiny]
backbone_sources: {tiny: {folder: "FOLDER", quantize: KIND}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}, {method: lora, rank: 4}]
seeds: [1]
controls: false
exclude: [{variant: fuse, adapter: lora, because: "bottlenecks are fused"}]
train: {default: {batch_size: 16, steps: 80, learning_rate: 1e-2, max_length: 64}}
tasks:
  world-nli: {train_examples: 32, dev_examples: 8}
  world-xnli: {train_examples: 32, dev_examples: 8, test_examples: 8}
statistics: {resamples: 100}
"""


@pytest.fixture(scope="module")
def checkpoints() -> ModuleType:
    sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
    try:
        return importlib.import_module("encoder_checkpoints")
    finally:
        sys.path.pop(0)


def losses(folder: Path) -> list[float]:
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for line in lines if "loss" in (entry := json.loads(line))]


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "kind"), [("llama", "nf4"), ("xlm-roberta", "int8")])
def test_a_study(model_type: str, kind: str, checkpoints: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip(LIBRARIES[kind], reason="extra 'quantized' is not installed")
    torch.set_num_threads(1)
    forget_backbones()
    folder = tmp_path / "checkpoint"
    checkpoints.make(folder, model_type)
    plan = build_plan(parse_recipe(RECIPE.replace("FOLDER", str(folder)).replace("KIND", kind)))
    store = Store(tmp_path / "store")
    store.open()
    settings = {"backbone_folders": {"tiny": str(folder)}, "eval_batch_tokens": 2048, "device": "cpu"}
    for stage in plan.stages.values():
        run_stage(stage, store=store, settings=settings)
    folders = {key: store.find(stage) for key, stage in plan.stages.items()}
    assert all(folders.values())

    identity: dict[str, Any] = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
    fingerprint = load_backbone(identity | {"quantize": kind}, folder).fingerprint
    forget_backbones()
    assert fingerprint == load_backbone(identity | {"quantize": kind}, folder).fingerprint
    assert fingerprint != load_backbone(identity, folder).fingerprint
    fallen: list[float] = []
    for key, stage in plan.stages.items():
        place = folders[key]
        if stage.kind.startswith("train") and place is not None:
            stored = json.loads((place / "model.json").read_text(encoding="utf-8"))
            assert stored["backbone"]["fingerprint"] == fingerprint
            curve = losses(place)
            assert curve[-1] < curve[0], (stage.kind, curve)
            fallen.append(curve[-1] / curve[0])
        if stage.kind == "report" and place is not None:
            assert kind in (place / "tables" / "backbones.csv").read_text(encoding="utf-8")

    assert min(fallen) < {"llama": 0.8, "xlm-roberta": 0.95}[model_type]  # one random token says less than the last
    for choice in choose(build_plan(plan.recipe, only=["intermediate=world-nli"]), phase="target", seed=None):
        bundle, _ = make_bundle(plan, store, choice, tmp_path / "bundles")
        forget_backbones()
        assert open_bundle(bundle, backbone=folder).difference == 0.0
        card = (bundle / "README.md").read_text(encoding="utf-8")
        assert f"linear maps in {kind}" in card
        assert LIBRARIES[kind] in card
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-4] + b"\x00\x00\x00\x40")  # the last number becomes 2.0
        forget_backbones()
        with pytest.raises(BundleError, match="sha256"):
            open_bundle(bundle, backbone=folder)
        weights.write_bytes(whole)
