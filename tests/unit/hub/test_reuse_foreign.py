"""Adapters of AdapterHub and peft in place of an intermediate training give the hidden states of their own library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import Make, StudyFiles, make_study
from reuse_tools import (
    CARD,
    make_adapterhub,
    make_ia3,
    make_peft,
    make_vera,
    publish,
    reuse_model,
    reusing,
    same_hidden_states,
)
from safetensors.torch import load_file
from stand_in_hub import StandInHub

from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"lora_alpha": 8},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": "orthogonal"},
        {"init_lora_weights": False},
        {"target_modules": r"roberta\.encoder\.layer\.\d+\.attention\.self\.(query|value)"},
        {"modules_to_save": ["classifier"]},
    ],
)
def test_a_lora_of_peft(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: Any) -> None:
    theirs = make_peft(encoder, tmp_path / "made", **options)
    method = "rslora" if "use_rslora" in options else "dora" if "use_dora" in options else "lora"
    place = publish(hub, tmp_path / "made")
    ours = reuse_model(study, tmp_path, reusing(place, adapter=f"{{method: {method}, rank: 4}}"))
    same_hidden_states(ours, theirs.base_model.model.roberta)


def test_an_ia3_of_peft(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
    theirs = make_ia3(encoder, tmp_path / "made")
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: ia3}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs.base_model.model)


def test_a_vera_with_our_projections(
    study: StudyFiles, methods: Make, hub: StandInHub, encoder: Path, tmp_path: Path
) -> None:
    theirs = make_vera(encoder, methods("vera", "sequential") / "t00", tmp_path / "made")
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: vera, rank: 4}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs.base_model.model)


@pytest.mark.parametrize("method", ["seq_bn", "double_seq_bn"])
def test_a_bottleneck_of_adapterhub(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, method: str
) -> None:
    theirs = make_adapterhub(encoder, tmp_path / "made", method)
    text = reusing(publish(hub, tmp_path / "made"), adapter=f"{{method: {method}, reduction_factor: 4}}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs)


def test_training_goes_on_from_a_foreign_adapter(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path
) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    card = CARD.replace(b"mit", b"cc-by-sa-4.0")
    text = reusing(publish(hub, tmp_path / "made", card), variants="sequential, stack, fuse")
    mine = make_study(tmp_path, text, store=study.store, scores=False)
    plan, store = mine.plan(), Store(mine.store)
    folders = {
        stage.labels["variant"]: store.folder(stage)
        for stage in plan.stages.values()
        if stage.kind in ("train_target", "train_fusion") and stage.labels["intermediate"] != "none"
    }
    assert set(folders) == {"sequential", "stack", "fuse"}
    stored = load_file(tmp_path / "made" / "adapter.safetensors")
    down = next(
        tensor for name, tensor in stored.items() if name.endswith("layer.0.output.adapters.mnli.adapter_up.weight")
    )
    for variant, part in (("stack", "i00"), ("fuse", "i00")):
        kept = load_file(folders[variant] / "model.safetensors")[f"adapters.{part}.0.up.weight"]
        assert torch.equal(kept, down), variant
    moved = load_file(folders["sequential"] / "model.safetensors")["adapters.t00.0.up.weight"]
    assert 0 < float((moved - down).abs().max()) < 1.0
    (wanted,) = choose(mine.plan("variant=stack", "intermediate=world-nli"))
    folder, manifest = make_bundle(plan, store, wanted, tmp_path / "out")
    assert manifest.license == "cc-by-sa-4.0"
    (pretrain,) = [stage for stage in plan.stages.values() if stage.kind == "pretrain"]
    assert open_bundle(folder, backbone=store.folder(pretrain)).difference == 0.0
