"""Methods ``adapters:CONFIG`` in bundles and from the Hub: the library's own files, by its own calls, both ways."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import METHODS_RECIPE, Make, StudyFiles, make_study
from reuse_tools import change_config, make_adapterhub, publish, refusal, reuse_model, reusing, same_hidden_states
from stand_in_hub import StandInHub
from test_methods import ours_and_bare, run_as_the_card_says

pytest.importorskip("adapters")

from adapterxfer.errors import BundleError
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.manifest import seal
from adapterxfer.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ADAPTERS = {
    "adapters:double_seq_bn/reduction_factor=8": '{method: "adapters:double_seq_bn[reduction_factor=8]"}',
    "adapters:compacter++/reduction_factor=6": '{method: "adapters:compacter++[reduction_factor=6]"}',
    "adapters:prefix_tuning/bottleneck_size=8/prefix_length=4": (
        '{method: "adapters:prefix_tuning[prefix_length=4,bottleneck_size=8]"}'
    ),
    "adapters:ia3": '{method: "adapters:ia3"}',
}


@pytest.fixture(scope="module")
def engine_study(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    text = METHODS_RECIPE.replace("ADAPTERS", ", ".join(ADAPTERS.values())).replace("methods-study", "adapters-study")
    return make_study(tmp_path_factory.mktemp("adapters-study"), text, scores=False)


@pytest.fixture(scope="module")
def engine_bundle(engine_study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Make:
    out = tmp_path_factory.mktemp("adapters-bundles")

    def make(label: str, variant: str) -> Path:
        (chosen,) = choose(engine_study.plan(f"variant={variant}", f"adapter={label}", "intermediate=world-nli"))
        return make_bundle(engine_study.plan(), Store(engine_study.store), chosen, out, full_weights=True)[0]

    return make


@pytest.mark.parametrize("variant", ["sequential", "stack"])
@pytest.mark.parametrize("label", ADAPTERS)
def test_they_answer_the_same_and_the_library_reads_them(engine_bundle: Make, label: str, variant: str) -> None:
    folder = engine_bundle(label, variant)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    assert opened.manifest.library == "adapters"
    ids, ours, bare = ours_and_bare(folder)
    real = ids.ne(1)
    theirs = run_as_the_card_says(folder)
    with torch.inference_mode():
        states = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
    assert float((ours - states)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3, "the adapters must matter, or agreement says nothing"


def test_a_fusion_of_the_librarys_bottlenecks_is_read_by_the_library(tmp_path: Path) -> None:
    text = METHODS_RECIPE.replace("ADAPTERS", "{method: \"adapters:seq_bn[reduction_factor=4,non_linearity='gelu']\"}")
    text = text.replace("methods-study", "fused-study").replace("[sequential, stack]", "[fuse]")
    text = text.replace("steps: 3}", "steps: 3, learning_rate: 1e-2}")
    study = make_study(tmp_path, text, scores=False)
    (chosen,) = choose(study.plan("variant=fuse", "intermediate=world-nli"))
    folder = make_bundle(study.plan(), Store(study.store), chosen, tmp_path / "out", full_weights=True)[0]
    assert open_bundle(folder).manifest.library == "adapters"
    ids, ours, bare = ours_and_bare(folder)
    real = ids.ne(1)
    theirs = run_as_the_card_says(folder)
    assert type(theirs.active_adapters).__name__ == "Fuse"
    with torch.inference_mode():
        states = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
    assert float((ours - states)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("method", "config", "says"),
    [
        ("adapters:ia3", {"alpha": 1_000_000}, "numbers up to 8192"),
        ("adapters:ia3", {"use_gating": True}, "no key 'use_gating'"),
        ("adapters:unipelt", {}, "no adapter method 'adapters:unipelt'"),
        ("adapters:../x", {}, "String should match pattern"),
    ],
)
def test_a_hostile_configuration_is_refused_before_anything_is_built(
    engine_bundle: Make, tmp_path: Path, method: str, config: Any, says: str
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(engine_bundle("adapters:ia3", "sequential"), folder)
    content = json.loads((folder / "bundle.json").read_text("utf-8"))
    content["composition"]["adapters"][0] |= {"method": method, "config": json.dumps(config)}
    content.pop("digest", None)
    (folder / "bundle.json").write_text(json.dumps(seal(content)), "utf-8")
    with pytest.raises(BundleError, match=says):
        inspect_bundle(folder)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("double_seq_bn", {"non_linearity": "gelu"}),
        ("par_bn", {"reduction_factor": 4, "scaling": 2.0}),
        ("lora", {"r": 4, "alpha": 16}),
        ("ia3", {}),
        ("compacter", {"reduction_factor": 6}),
        ("noreft", {"r": 2}),
    ],
)
def test_a_published_adapter_of_any_configuration(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    theirs = make_adapterhub(encoder, tmp_path / "made", name, **options)
    if name == "double_seq_bn":
        options = {"reduction_factor": 4, **options}
    text = reusing(
        publish(hub, tmp_path / "made"),
        adapter=f'{{method: "adapters:{name}", config: {json.dumps(options)}}}',
        variants="sequential",
    )
    same_hidden_states(reuse_model(study, tmp_path, text), theirs)


@pytest.mark.parametrize(
    ("options", "config", "says"),
    [
        ({"r": 4, "alpha": 16}, {"r": 4}, "alpha is 16; adapters:lora has 8"),
        ({"r": 4, "attn_matrices": ["q", "k"]}, {"r": 4}, "attn_matrices is"),
        ({"r": 8}, {"r": 4}, "r is 8; adapters:lora has 4"),
    ],
)
def test_another_configuration_is_refused_key_by_key(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: Any, config: Any, says: str
) -> None:
    make_adapterhub(encoder, tmp_path / "made", "lora", **options)
    text = reusing(
        publish(hub, tmp_path / "made"),
        adapter=f'{{method: "adapters:lora", config: {json.dumps(config)}}}',
        variants="sequential",
    )
    assert says in refusal(study, tmp_path, text)


@pytest.mark.parametrize("name", ["vera", "loreft"])
def test_random_parts_that_were_not_learned_have_to_be_ours(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, name: str
) -> None:
    torch.manual_seed(77)
    make_adapterhub(encoder, tmp_path / "made", name, r=2)
    text = reusing(
        publish(hub, tmp_path / "made"), adapter=f'{{method: "adapters:{name}[r=2]"}}', variants="sequential"
    )
    assert "other random parts" in refusal(study, tmp_path, text)


def test_a_configuration_that_the_library_cannot_read(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path
) -> None:
    make_adapterhub(encoder, tmp_path / "made", "lora", r=4)
    change_config(tmp_path / "made", config={"architecture": "nothing"})
    text = reusing(publish(hub, tmp_path / "made"), adapter='{method: "adapters:lora[r=4]"}', variants="sequential")
    assert "cannot be read by the adapters library" in refusal(study, tmp_path, text)
