"""A bundle of ours in place of an intermediate training: the same study, and its name in everything on top."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_study import Make, StudyFiles, make_study, run_stage, training_tools
from reuse_tools import refusal, reusing
from stand_in_hub import StandInHub

from adapterxfer.errors import BundleError
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.pushing import push
from adapterxfer.predict.table import read_predictions
from adapterxfer.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_our_own_adapter_gives_what_training_it_would_give(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    text = reusing(ours, variants="sequential, stack, fuse", targets="world-xnli, world-retrieval")
    mine = make_study(tmp_path, text, store=study.store)
    plan, theirs = mine.plan(), study.plan()
    assert "train_intermediate" not in plan.counts()
    (reuse,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    store = Store(mine.store)
    record = store.read(reuse)
    assert record.result["published"] == ours.removeprefix("hub:")
    compared = 0
    for cell in plan.cells:
        if cell.intermediate == "none":
            continue
        (same,) = [c for c in theirs.cells if c.labels() == cell.labels()]
        assert cell.predict != same.predict, "the key says where the adapter comes from"
        found = read_predictions(store.folder(plan.stages[cell.predict]))
        expected = read_predictions(store.folder(theirs.stages[same.predict]))
        assert list(found.prediction) == list(expected.prediction)
        compared += 1
    assert compared == 4, "sequential, stack and fuse on the target, stack on retrieval"


def test_a_bundle_on_top_names_the_reused_one(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    mine = make_study(tmp_path, reusing(ours), store=study.store, scores=False)
    (wanted,) = choose(mine.plan("intermediate=world-nli"))
    folder, manifest = make_bundle(mine.plan(), Store(mine.store), wanted, tmp_path / "out", full_weights=True)
    assert "reuse_intermediate" in [entry.kind for entry in manifest.lineage]
    rows = {row["task"]: row for row in json.loads((folder / "results.json").read_text())["training"]}
    assert rows["world-nli"]["published"] == ours.removeprefix("hub:")
    assert rows["world-nli"]["licence"] == "apache-2.0"
    assert f"reused adapter `{ours.removeprefix('hub:')}`" in (folder / "README.md").read_text()
    assert open_bundle(folder).difference == 0.0


def test_nothing_to_bundle_of_a_reused_adapter(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    mine = make_study(tmp_path, reusing(ours), store=study.store, scores=False)
    with pytest.raises(BundleError, match="no intermediate model"):
        choose(mine.plan("intermediate=world-nli"), phase="intermediate")


def test_our_bundle_of_another_backbone_or_task(
    study: StudyFiles, hub: StandInHub, bundle: Make, ours: str, tmp_path: Path
) -> None:
    pos = push(bundle("stack", "world-pos", intermediate="none"), "org/pos").commit
    assert "trained on world-pos; the recipe asks for world-nli" in refusal(
        study, tmp_path, reusing(f"hub:org/pos@{pos}")
    )
    stack = push(bundle("stack"), "org/stack").commit
    message = refusal(study, tmp_path, reusing(f"hub:org/stack@{stack}"))
    assert "it is a bundle of variant 'stack' with 2 adapters; one adapter is needed" in message
    full = push(bundle("full-ft"), "org/full").commit
    assert "variant 'full-ft' with no adapter" in refusal(study, tmp_path, reusing(f"hub:org/full@{full}"))
    wide = reusing(ours, adapter="{method: seq_bn, reduction_factor: 2}")
    assert "adapter of size 6 (bottleneck or rank); the recipe asks for 12" in refusal(study, tmp_path, wide)
    lora = reusing(ours, adapter="{method: lora, rank: 4}")
    assert "adapter method seq_bn; the recipe asks for lora" in refusal(study, tmp_path, lora)
    seeded = reusing(ours).replace("learning_rate: 1e-3\ntrain", "learning_rate: 1e-3\n  seed: 9\ntrain")
    assert seeded != reusing(ours)
    tools, files = training_tools(), StudyFiles(tmp_path / "other.yaml", tmp_path / "store")
    files.recipe.write_text(seeded)
    plan, store = files.plan(), Store(files.store)
    for stage in plan.stages.values():
        if stage.kind in ("prepare", "pretrain"):
            run_stage(store, stage, plan, _OtherBackbone(tools))  # type: ignore[arg-type]
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    with pytest.raises(BundleError, match=r"with fingerprint \w{16}; backbone 'tiny' has \w{16}"):
        run_stage(store, stage, plan, tools)


class _OtherBackbone:
    """The tools, but a backbone with other weights."""

    def __init__(self, tools: Any) -> None:
        self._tools = tools

    def write_backbone(self, folder: Path, **sizes: int) -> Path:
        return Path(self._tools.write_backbone(folder, **sizes, seed=7))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tools, name)
