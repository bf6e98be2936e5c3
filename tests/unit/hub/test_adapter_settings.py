"""Bundles of adapters with settings: they load to the same numbers, and the files say the settings to the libraries."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import METHODS_RECIPE, Make, make_study
from transformers import XLMRobertaModel

from adapterxfer.hub.choosing import choose
from adapterxfer.hub.foreign import describe
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.store.store import Store

ADAPTERS = {
    "seq_bn": "{method: seq_bn, reduction_factor: 6, "
    "config: {non_linearity: gelu, residual_before_ln: false, init_std: 0.1}}",
    "lora": "{method: lora, rank: 4, config: {lora_alpha: 20, target_modules: [query, ffn_in, ffn_out], "
    "rank_pattern: {ffn_in: 2}, lora_dropout: 0.2}}",
    "dora": "{method: dora, rank: 4, config: {target_modules: [key]}}",
}


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Make:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("settings-study")
    study = make_study(root, METHODS_RECIPE.replace("ADAPTERS", ", ".join(ADAPTERS.values())), scores=False)
    labels = {spec.method: spec.label for spec in study.plan().recipe.adapters}

    def get(method: str, variant: str) -> Path:
        narrowed = study.plan(f"variant={variant}", f"adapter={labels[method]}", "intermediate=world-nli")
        (chosen,) = choose(narrowed)
        folder, _ = make_bundle(study.plan(), Store(study.store), chosen, root / "bundles" / variant, full_weights=True)
        return folder

    return get


def hidden_states(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])
    with torch.inference_mode():
        return ids, open_bundle(folder).model(ids, ids.ne(1).long())


@pytest.mark.parametrize("method", ADAPTERS)
@pytest.mark.parametrize("variant", ["sequential", "stack"])
def test_a_bundle_answers_the_same_and_names_its_settings(configured: Make, method: str, variant: str) -> None:
    folder = configured(method, variant)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    for adapter in opened.manifest.composition.adapters:
        assert json.loads(adapter.config)
    content = json.loads((folder / "t00" / "adapter_config.json").read_text(encoding="utf-8"))
    if method == "seq_bn":
        assert content["config"]["non_linearity"] == "gelu"
        assert content["config"]["residual_before_ln"] is False
        assert "init_std" not in content["config"]
    if method == "lora":
        assert (content["lora_alpha"], content["lora_dropout"]) == (20.0, 0.2)
        assert list(content["rank_pattern"].values()) == [2]


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_peft_reads_the_folder(configured: Make, method: str) -> None:
    folder = configured(method, "sequential")
    ids, ours = hidden_states(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from peft import PeftModel

        base = XLMRobertaModel.from_pretrained(folder / "encoder", add_pooling_layer=False)
        theirs: Any = PeftModel.from_pretrained(base, folder / "t00").eval()
    with torch.inference_mode():
        answered = theirs(input_ids=ids, attention_mask=ids.ne(1).long()).last_hidden_state
    assert float((ours - answered)[ids.ne(1)].abs().max()) <= 1e-5


def test_an_adapter_of_another_tool_is_taken_with_the_defaults_alone(configured: Make) -> None:
    content = json.loads((configured("seq_bn", "sequential") / "t00" / "adapter_config.json").read_text())
    said = describe(content, "seq_bn", '{"non_linearity": "gelu"}').differences
    assert any("taken with the defaults" in difference for difference in said)
    assert any("non_linearity" in difference for difference in describe(content, "seq_bn").differences)
