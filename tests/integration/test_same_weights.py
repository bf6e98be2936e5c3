"""One set of weights under two names: an encoder saved as XLM-R and as BERT gives the same predictions.

Multilingual E5 and MiniLM are published as BERT; their layers are XLM-R's, and so is their tokenizer.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from safetensors.torch import load_file, save_file

import adapterxfer
import adapterxfer.world
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store

WORLD = Path(adapterxfer.world.__file__).parent
RECIPE = """
recipe: 1
name: same-weights
title: One set of weights, two architectures
backbones: [one, two]
backbone_sources: {one: {folder: ONE}, two: {folder: TWO}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-pos]
variants: [stack, fuse, full-ft]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train:
  default: {batch_size: 8, steps: 12, learning_rate: 3e-3, max_length: 48}
tasks:
  world-nli: {train_examples: 64, dev_examples: 8}
  world-xnli: {train_examples: 64, dev_examples: 8, test_examples: 24}
  world-pos: {train_examples: 64, dev_examples: 8, test_examples: 12}
statistics: {resamples: 100}
"""
REAL = {name: os.environ.get(f"ADAPTERXFER_E5_{name.upper()}", "") for name in ("xlmr", "bert")}
"""Folders of multilingual E5 small as both; tests with them are skipped where they are not named."""


def as_bert(source: Path, folder: Path) -> None:
    """The same encoder as a BERT: positions counted from 0, two segments, and BERT's padding id as E5 has it."""
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    first = config["pad_token_id"] + 1
    state = load_file(source / "model.safetensors")
    renamed = {name.removeprefix("roberta."): tensor for name, tensor in state.items()}
    encoder = {name: tensor for name, tensor in renamed.items() if name.startswith(("embeddings.", "encoder."))}
    table = "embeddings.position_embeddings.weight"
    encoder[table] = encoder[table][first:].clone()
    table = "embeddings.token_type_embeddings.weight"
    encoder[table] = encoder[table].repeat(2, 1)
    save_file(encoder, folder / "model.safetensors")
    more = {"model_type": "bert", "type_vocab_size": 2, "pad_token_id": 0}
    more["max_position_embeddings"] = config["max_position_embeddings"] - first
    (folder / "config.json").write_text(json.dumps(config | more))
    shutil.copy(WORLD / "tokenizer" / "tokenizer.json", folder)
    names = {
        "pad_token": "<pad>",
        "mask_token": "<mask>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def predictions(place: Path, one: Path, two: Path) -> dict[tuple[str, ...], list[list[str]]]:
    """System -> the predictions of both backbones."""
    (place / "recipe.yaml").write_text(RECIPE.replace("ONE", str(one)).replace("TWO", str(two)))
    recipe = load_recipe(str(place / "recipe.yaml"))
    store = Store(place / "store")
    result = adapterxfer.run(recipe, store=store.root, jobs=1)
    systems: dict[tuple[str, ...], list[list[str]]] = {}
    for cell in sorted(result.plan.cells, key=lambda cell: cell.backbone):
        if cell.control:
            continue
        folder = store.find(result.plan.stages[cell.predict])
        assert folder is not None
        rows = parquet.read_table(folder / "predictions.parquet").column("prediction").to_pylist()
        systems.setdefault((cell.variant, cell.intermediate, cell.target), []).append(rows)
    return systems


def check(systems: dict[tuple[str, ...], list[list[str]]]) -> None:
    assert len(systems) == 12
    for system, (one, two) in systems.items():
        assert one == two, system
    # One answer for everything would be equal in any case.
    assert all(len(set(one)) > 1 for (_, _, target), (one, _) in systems.items() if target == "world-pos")


def test_world_backbone_as_both(tmp_path: Path) -> None:
    as_bert(WORLD / "backbones" / "world-nano", tmp_path / "bert")
    shutil.copytree(WORLD / "backbones" / "world-nano", tmp_path / "xlmr")
    shutil.copy(WORLD / "tokenizer" / "tokenizer.json", tmp_path / "xlmr")
    check(predictions(tmp_path, tmp_path / "xlmr", tmp_path / "bert"))


@pytest.mark.skipif(not all(REAL.values()), reason="name the folders in ADAPTERXFER_E5_XLMR and ADAPTERXFER_E5_BERT")
def test_multilingual_e5_as_both(tmp_path: Path) -> None:
    check(predictions(tmp_path, Path(REAL["xlmr"]), Path(REAL["bert"])))
