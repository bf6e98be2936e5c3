"""The maker of the shipped backbones, on a thousandth of its text and steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from adapterxfer.world import corpus, recipe

Load = Callable[[str], ModuleType]


@pytest.fixture
def little_text(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = corpus._documents
    monkeypatch.setattr(corpus, "_documents", lambda purpose, code, count: documents(purpose, code, min(count, 150)))
    resources = {tier: replace(amounts, parallel=40, mixed=40) for tier, amounts in corpus.RESOURCES.items()}
    monkeypatch.setattr(corpus, "RESOURCES", resources)


@pytest.mark.slow
@pytest.mark.usefixtures("little_text")
def test_a_backbone_is_pretrained_stored_and_listed(script: Load, tmp_path: Path) -> None:
    arguments = ["--only", "world-nano", "--tokens", "12000", "--out", str(tmp_path)]
    assert script("make_world").main(arguments) == 0
    (entry,) = json.loads((tmp_path / "backbones" / "index.json").read_text(encoding="utf-8"))["backbones"]
    assert (entry["name"], entry["hidden"], entry["layers"]) == ("world-nano", 48, 2)
    assert set(entry["learning_rate_grid"]) == {f"{rate:g}" for rate in recipe.RATES}
    assert entry["steps"] > 0
    folder = tmp_path / "backbones" / "world-nano"
    record = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    assert set(record["health"]) == {"marker_cloze", "retrieval_embeddings", "retrieval_middle"}
    assert (tmp_path / "tokenizer" / "tokenizer.json").is_file()
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() >= {"roberta.embeddings.word_embeddings.weight", "lm_head.bias"}
    assert all(weight.dtype == torch.float16 for weight in weights.values())


def test_the_stored_fingerprint_is_checked(script: Load, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("make_world").main(["--check"]) == 0
    assert capsys.readouterr().out.endswith("same\n")
