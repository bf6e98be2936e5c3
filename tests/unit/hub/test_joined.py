"""Bundles of models that are joined from others: low-rank and jointly trained fusions, and merged weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hub_study import METHODS_RECIPE, make_study
from stand_in_hub import StandInHub
from stored_models import stored_model
from test_methods import run_as_the_card_says

from adapterxfer import load_bundle
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.probes import ask
from adapterxfer.hub.pulling import pull
from adapterxfer.hub.pushing import push
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store
from adapterxfer.variants.model import TransferModel

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ADAPTERS, FULL = "  adapters: {learning_rate: 1e-2}\n", "  full-ft: {learning_rate: 1e-3}\n"
FUSED = ADAPTERS + "  fuse: {learning_rate: 1e-2}\n"
JOINED = {
    "low-rank fusion": ("fuse", "fusion: {rank: 4}", FUSED),
    "joint fusion": ("fuse", "fusion: {target: jointly}", FUSED),
    "joint low-rank fusion": ("fuse", "fusion: {rank: 4, target: jointly}", FUSED),
    "average of adapters": ("merge", "merge: {kind: average, of: adapters, intermediate: 0.3}", ADAPTERS),
    "soup of stacks": ("merge", "merge: {kind: soup, of: stack, members: 2}", ADAPTERS),
    "arithmetic of models": ("merge", "merge: {kind: arithmetic, of: full-ft, intermediate: 0.5, target: 0.8}", FULL),
}
EXAMPLES = [{"text": "red cat", "text_pair": "the dog sees"}, {"text": "old house road", "text_pair": None}]


def recipe(variant: str, options: str, settings: str) -> str:
    text = METHODS_RECIPE.replace("[sequential, stack]", f"[{variant}]").replace(ADAPTERS, settings) + options + "\n"
    if settings == FULL:
        return text.replace("adapters: [ADAPTERS]\n", "")
    return text.replace("ADAPTERS", "{method: seq_bn, reduction_factor: 4}")


def logits(model: TransferModel) -> torch.Tensor:
    (head,) = [part for part in model.composition.heads if part.task == "world-xnli"]
    return ask(model, head.id, get_format(head.format), EXAMPLES)[1]


@pytest.mark.parametrize("kind", JOINED)
def test_a_joined_model_makes_the_round_trip(kind: str, hub: StandInHub, tmp_path: Path) -> None:
    variant, options, settings = JOINED[kind]
    study = make_study(tmp_path, recipe(variant, options, settings), scores=False)
    (wanted,) = choose(study.plan("intermediate=world-nli"))
    folder, manifest = make_bundle(study.plan(), Store(study.store), wanted, tmp_path / "out", full_weights=True)
    assert manifest.composition.fusion_rank == (4 if "rank" in options else 0)
    assert manifest.composition.joint == ("jointly" in options)
    assert manifest.lineage[0].kind == ("merge" if variant == "merge" else "train_fusion")
    results = json.loads((folder / "results.json").read_text())
    assert {"text", "world-nli", "world-xnli"} == {row["task"] for row in results["training"]}
    assert ("weights were joined" in (folder / "README.md").read_text()) == (variant == "merge")
    assert (manifest.trainable_parameters == 0) == (variant == "merge")
    assert ("`adapters` has no low-rank fusion" in (folder / "README.md").read_text()) == ("rank" in options)
    expected = logits(stored_model(study, wanted.key))
    pulled = pull(parse_address(f"org/name@{push(folder, 'org/name').commit}"))
    for place in (folder, pulled.folder):
        loaded = load_bundle(str(place))
        assert float((logits(loaded.model) - expected).abs().max()) <= 1e-6
    done = Store(study.store).completed()
    others = [s for s in study.plan().stages.values() if s.kind == "train_target" and s.key[:SHORT_KEY] in done]
    assert others or "jointly" in options
    apart = [float((logits(stored_model(study, stage.key)) - expected).abs().max()) for stage in others]
    assert all(difference > 1e-4 for difference in apart), "the joined model is not one of its parts"


@pytest.mark.parametrize("kind", ["joint fusion", "average of adapters"])
def test_adapters_loads_the_joined_model(kind: str, tmp_path: Path) -> None:
    study = make_study(tmp_path, recipe(*JOINED[kind]), scores=False)
    (wanted,) = choose(study.plan("intermediate=world-nli"))
    folder, manifest = make_bundle(study.plan(), Store(study.store), wanted, tmp_path / "out", full_weights=True)
    assert manifest.library == "adapters"
    ids = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])
    mask = ids.ne(1).long()
    with torch.inference_mode():
        ours = stored_model(study, wanted.key)(ids, mask)
        theirs = run_as_the_card_says(folder)(input_ids=ids, attention_mask=mask).last_hidden_state
    assert float((ours - theirs)[mask.bool()].abs().max()) <= 1e-5
