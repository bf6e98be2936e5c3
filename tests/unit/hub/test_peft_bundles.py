"""Bundles of methods ``peft:TYPE``: the library's own files, read by its own calls; hostile configurations refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import METHODS_RECIPE, Make, StudyFiles, make_study
from test_methods import ours_and_bare, run_as_the_card_says

from adapterxfer.errors import BundleError
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.manifest import seal
from adapterxfer.store.store import Store

pytest.importorskip("peft")

ADAPTERS = {
    "peft:LOHA/alpha=4/r=4": '{method: "peft:LOHA", config: {r: 4, alpha: 4}}',
    "peft:RANDLORA/r=4/target_modules=query+ffn_out": (
        '{method: "peft:RANDLORA", config: {r: 4, target_modules: [query, ffn_out]}}'
    ),
    "peft:LORA/r=4/use_rslora=true": '{method: "peft:LORA", config: {r: 4, use_rslora: true}}',
    "peft:TINYLORA": '{method: "peft:TINYLORA"}',
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    text = METHODS_RECIPE.replace("ADAPTERS", ", ".join(ADAPTERS.values())).replace("methods-study", "peft-study")
    return make_study(tmp_path_factory.mktemp("peft-study"), text, scores=False)


@pytest.fixture(scope="module")
def peft_bundle(study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Make:
    out = tmp_path_factory.mktemp("peft-bundles")

    def make(label: str, variant: str) -> Path:
        (chosen,) = choose(study.plan(f"variant={variant}", f"adapter={label}", "intermediate=world-nli"))
        return make_bundle(study.plan(), Store(study.store), chosen, out, full_weights=True)[0]

    return make


@pytest.mark.parametrize("variant", ["sequential", "stack"])
@pytest.mark.parametrize("label", ADAPTERS)
def test_they_answer_the_same_and_the_library_reads_them(peft_bundle: Make, label: str, variant: str) -> None:
    folder = peft_bundle(label, variant)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    card = (folder / "README.md").read_text("utf-8")
    if "TINYLORA" in label:  # the library keeps its tied weights once, where no name of a layer says whose they are
        assert opened.manifest.library == ""
        assert "PeftModel.from_pretrained" not in card
        return
    assert opened.manifest.library == "peft"
    ids, ours, bare = ours_and_bare(folder)
    real = ids.ne(1)
    theirs = run_as_the_card_says(folder)
    with torch.inference_mode():
        states = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
    assert float((ours - states)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3, "the adapters must matter, or agreement says nothing"


@pytest.mark.parametrize(
    ("method", "config", "says"),
    [
        ("peft:LOHA", {"r": 1_000_000}, "numbers up to 8192"),
        ("peft:LOHA", {"rank_pattern": {"query": 10**9}}, "numbers up to 8192"),
        ("peft:LOHA", {"modules_to_save": ["embeddings"]}, "no key 'modules_to_save'"),
        ("peft:LOHA", {"target_modules": ["lm_head"]}, "names 'lm_head'"),
        ("peft:LOHA", ["r"], "expected keys"),
        ("seq_bn", {"r": 4}, "has no setting 'r'"),
        ("peft:ADALORA", {}, "no adapter method 'peft:ADALORA'"),
        ("peft:../x", {}, "String should match pattern"),
    ],
)
def test_a_hostile_configuration_is_refused_before_anything_is_built(
    peft_bundle: Make, tmp_path: Path, method: str, config: Any, says: str
) -> None:
    import shutil

    folder = tmp_path / "bundle"
    shutil.copytree(peft_bundle("peft:LOHA/alpha=4/r=4", "sequential"), folder)
    content = json.loads((folder / "bundle.json").read_text("utf-8"))
    content["composition"]["adapters"][0] |= {"method": method, "config": json.dumps(config)}
    content.pop("digest", None)
    (folder / "bundle.json").write_text(json.dumps(seal(content)), "utf-8")
    with pytest.raises(BundleError, match=says):
        inspect_bundle(folder)
