"""`check` refuses backbones that a run would refuse, all at once, with exit code 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import adapterxfer.world
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.cli.main import main

WORLD = Path(adapterxfer.world.__file__).parent
TYPES = (
    "albert", "bart", "big_bird", "camembert", "canine", "convbert", "deberta", "ernie", "flaubert", "fnet", "funnel",
    "gpt2", "ibert", "layoutlm", "longformer", "luke", "megatron-bert", "mobilebert", "mpnet", "nystromformer",
    "opt", "roformer", "squeezebert", "t5", "xlm", "xlnet",
)  # fmt: skip
"""Architectures of `transformers` that are not known here."""

RECIPE = """
recipe: 1
name: refused
title: A backbone from a folder
backbones: [mine]
backbone_sources: {mine: {folder: FOLDER}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack]
adapters: [{method: lora, rank: 4}]
seeds: [1]
train: {default: {batch_size: 8, steps: 3, learning_rate: 1e-3, max_length: LENGTH}}
"""
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "max_position_embeddings": 64, "vocab_size": 3000}


def folder_of(folder: Path, **config: Any) -> Path:
    """What `check` looks at: a configuration, weights with one matrix, the tokenizer of the world."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "pad_token_id": 1, **SMALL, **config}))
    rows = config.get("vocab_size", SMALL["vocab_size"])
    save_file({"embeddings.word_embeddings.weight": torch.zeros(rows, 16)}, folder / "model.safetensors")
    shutil.copy(WORLD / "tokenizer" / "tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    return folder


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *more: str, length: int = 32) -> str:
    """What `check` says on standard error; it must end with 2."""
    path = folder.parent / "recipe.yaml"
    path.write_text(RECIPE.replace("FOLDER", str(folder)).replace("LENGTH", str(length)))
    assert main(["check", str(path), *more]) == 2
    says = capsys.readouterr().err
    assert "Traceback" not in says
    return says


def test_a_whole_folder_is_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("FOLDER", str(folder_of(tmp_path / "b"))).replace("LENGTH", "32"))
    assert main(["check", str(path)]) == 0


@pytest.mark.parametrize("model_type", TYPES)
def test_other_types_are_refused_with_what_is_known(
    model_type: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import CONFIG_MAPPING

    assert model_type in CONFIG_MAPPING, "a type of the library, or nothing is tested"
    says = refusal(folder_of(tmp_path / "b", model_type=model_type), capsys)
    assert f"'{model_type}'" in says
    assert all(known in says for known in ARCHITECTURES)


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "config.json" in refusal(tmp_path / "nowhere", capsys)


@pytest.mark.parametrize(
    ("file", "message"),
    [("model.safetensors", "no model.safetensors"), ("tokenizer.json", "no tokenizer.json"), ("config.json", "config")],
)
def test_missing_files(file: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "b")
    (folder / file).unlink()
    assert message in refusal(folder, capsys)


@pytest.mark.parametrize(("model_type", "limit"), [("bert", 64), ("roberta", 62)])
def test_longer_than_the_positions(
    model_type: str, limit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = refusal(folder_of(tmp_path / "b", model_type=model_type), capsys, length=500)
    assert f"max_length 500, but backbone 'mine' reads {limit} tokens at most" in says


def test_a_tokenizer_that_does_not_fit_says_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "b", vocab_size=100)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps({"mask_token": "[HIDDEN]"}))
    says = refusal(folder, capsys, length=500)
    for message in (
        "no padding token is named",
        "lacks [HIDDEN]",
        "tokens, but",
        "has room for 100",
        "puts no special token before a text",
        "reads 64 tokens at most",
    ):
        assert message in says


def test_embeddings_of_another_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "b")
    save_file({"embeddings.word_embeddings.weight": torch.zeros(7, 16)}, folder / "model.safetensors")
    assert "embeddings of 7 tokens, but config.json says 3000" in refusal(folder, capsys)


def test_what_is_no_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "b")
    (folder / "tokenizer.json").write_text("{}")
    assert "not a tokenizer" in refusal(folder, capsys)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("variants=[fuse]",), "AdapterFusion mixes bottlenecks"),
        (("adapters=[{method: prefix, prefix_length: 4}]",), "own forward pass only"),
        (("backbone_sources.mine.pooling=mean",), "reads the first token"),
    ],
)
def test_what_the_architecture_cannot_do(
    settings: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "b", model_type="deberta-v2")
    assert message in refusal(folder, capsys, *(part for each in settings for part in ("--set", each)))
