"""Every variant family on every format: pushed, pulled in a fresh process with an empty cache, the same logits.

The logits are compared with those of the trained model in the store, not with what the bundle says of itself, and the
libraries load the same folders with the code on their cards. `tests/unit/hub` holds a part of this for every change.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ask_bundles
import pytest
import torch
from hub_study import METHODS_RECIPE, SIZES, make_study
from safetensors.torch import load_file
from stand_in_hub import StandInHub
from stored_models import stored_model

from adapterxfer.catalog import METHODS
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.checking import PACKAGE_PARENT
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.layout import PROBES
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.manifest import Manifest, read_json
from adapterxfer.hub.probes import ask
from adapterxfer.hub.pushing import push
from adapterxfer.store.store import Store

FORMATS = {"world-xnli": "sequence_classification", "world-pos": "tagging", "world-xqa": "span_qa",
           "world-xmc": "multiple_choice"}  # fmt: skip
ALL = METHODS_RECIPE.replace("[world-xnli]", f"[{', '.join(FORMATS)}]").replace(
    "  world-xnli: {languages: [en, a1]}\n", "".join(f"  {name}: {{languages: [en, a1]}}\n" for name in FORMATS)
)
ADAPTERS, FULL = "  adapters: {learning_rate: 1e-2}\n", "  full-ft: {learning_rate: 1e-3}\n"
FUSE = ADAPTERS + "  fuse: {learning_rate: 1e-2}\n"
BOTTLENECK = "{method: seq_bn, reduction_factor: 4}"
ARITHMETIC = "merge: {kind: arithmetic, of: full-ft, intermediate: 0.5, target: 0.8}"
TWO = ("[none, world-nli]", "[none, world-nli, world-qa, pool]")


def family(
    variants: str, *, adapter: str = BOTTLENECK, settings: str = ADAPTERS, more: str = "", pool: bool = False
) -> str:
    """A recipe with one kind of variants on all formats."""
    text = ALL.replace("[sequential, stack]", f"[{variants}]").replace(ADAPTERS, settings) + more + "\n"
    text = text.replace(*TWO) if pool else text
    return text.replace("ADAPTERS", adapter) if adapter else text.replace("adapters: [ADAPTERS]\n", "")


def method(name: str) -> str:
    sizes = [f"{key}: {SIZES[key]}" for key in METHODS[name].sizes[:1]]
    return "{" + ", ".join([f"method: {name}", *sizes]) + "}"


FAMILIES = {
    **{name: family("sequential, stack", adapter=method(name)) for name in METHODS},
    "full fine-tuning": family("full-ft", adapter="", settings=FULL),
    "head only": family("head-only", adapter="", settings="  head-only: {learning_rate: 1e-2}\n"),
    "fusion": family("fuse", settings=FUSE, pool=True),
    "joint fusion": family("fuse", settings=FUSE, more="fusion: {target: jointly}"),
    "low-rank fusion": family("fuse", settings=FUSE, more="fusion: {rank: 4}"),
    "average of adapters": family("merge", more="merge: {kind: average, of: adapters, intermediate: 0.3}"),
    "soup of stacks": family("merge", more="merge: {kind: soup, of: stack, members: 2}"),
    "merge of LoRAs": family("merge", adapter=method("lora"), more="merge: {kind: average, of: adapters}"),
    "arithmetic of models": family(
        "merge",
        adapter="",
        settings=FULL,
        more="merge: {kind: arithmetic, of: full-ft, intermediate: 0.5, target: 0.8}",
    ),
}
LARGEST = 1e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_makes_the_round_trip_on_every_format(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    study = make_study(tmp_path, FAMILIES[name], scores=name == "head only")
    plan, store = study.plan(), Store(study.store)
    first = "world-nli,pool" if "pool" in FAMILIES[name] else "world-nli"
    only = [] if name == "head only" else [f"intermediate={first}"]
    wanted = choose(study.plan(*only))
    if "train_intermediate" in plan.counts() and "merge" not in plan.counts():
        wanted += choose(study.plan(*only), phase="intermediate")
    made: dict[str, tuple[Path, Manifest, str]] = {}
    for one in wanted:
        folder, manifest = make_bundle(plan, store, one, tmp_path / "out", full_weights=True)
        made[f"org/{len(made):02}-{folder.name}"[:90]] = folder, manifest, one.key
    formats = {head.format for _, manifest, _ in made.values() for head in manifest.composition.heads}
    assert formats == set(FORMATS.values())
    with StandInHub() as hub:
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE_PARENT), *sys.path]), "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token, "HF_HOME": str(tmp_path / "hf"), "ADAPTERXFER_CACHE": str(tmp_path / "cache"),
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_ENDPOINT", hub.url)
            patch.setenv("HF_TOKEN", hub.token)
            places = [f"{place}@{push(folder, place).commit}" for place, (folder, _, _) in made.items()]
        out = tmp_path / "answers.safetensors"
        command = [sys.executable, str(ask_bundles.__file__), str(out), "--native", *places]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    found = load_file(out)
    for place, (folder, manifest, key) in made.items():
        model = stored_model(study, key)
        for head in manifest.composition.heads:
            examples = read_json(folder / PROBES)["probes"][head.id]["examples"]
            _, outputs, hidden, _ = ask(model, head.id, get_format(head.format, head.protocol), examples)
            for kind, expected in (("outputs", outputs), ("hidden", hidden)):
                difference = float((found[f"{place} {head.id} {kind}"] - expected).abs().max())
                assert difference <= LARGEST, (place, head.task, kind)
        native = manifest.library or ("transformers" if not manifest.adapter_ids else "")
        assert (f"{place} native" in found) == bool(native), place
        if native:
            assert float(found[f"{place} native"]) <= 1e-5, (place, native)
        if native in ("adapters", "peft"):
            assert float(found[f"{place} apart"]) > 1e-3, "the adapters must matter, or agreement says nothing"
