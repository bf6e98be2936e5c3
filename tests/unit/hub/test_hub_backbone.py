"""A backbone that is itself a repository of the Hub: fetched at its commit, trained on, bundled, and found again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_in_hub import StandInHub

from adapterxfer import load_bundle
from adapterxfer.backbones.loading import WORLD_FOLDER, forget_backbones
from adapterxfer.backbones.reading import library_class
from adapterxfer.backbones.snapshots import WANTED
from adapterxfer.cli.main import main
from adapterxfer.errors import BackboneError, BundleError
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.manifest import read_manifest
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import load_recipe

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

RECIPE = """
recipe: 1
name: hub-backbone
backbones: [tiny]
backbone_sources: {tiny: {hub: encoders/tiny-xlm-r, revision: REVISION}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train:
  default: {batch_size: 8, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 32, steps: 3}
  adapters: {learning_rate: 1e-2}
tasks:
  world-nli: {train_examples: 24, dev_examples: 6}
  world-xnli: {train_examples: 24, dev_examples: 6, test_examples: 6, languages: [en, a1, c1]}
controls: false
statistics: {resamples: 100}
"""


class Study(NamedTuple):
    recipe: Path
    store: Path
    out: Path
    commit: str
    files: dict[str, bytes]


def write_xlm_r(folder: Path, *, seed: int = 1) -> dict[str, bytes]:
    """The files of a random encoder as a repository of the Hub has them: with a head, a pickle, and more."""
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    special = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>",
               "mask": "<mask>"}  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(WORLD_FOLDER / "tokenizer" / "tokenizer.json"),
        **{f"{name}_token": token for name, token in special.items()},
    )
    tokenizer.save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=66, type_vocab_size=1, initializer_range=0.15, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    library_class("XLMRobertaForMaskedLM")(config).save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "roberta.embeddings.word_embeddings.weight" in load_file(folder / "model.safetensors")
    return files | {
        "pytorch_model.bin": b"\x80never read",
        "sentencepiece.bpe.model": b"x",
        "README.md": b"# An encoder",
    }


def empty_cache(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """As on another machine: nothing of the Hub is there, and no backbone is loaded."""
    monkeypatch.setenv("HF_HOME", str(place / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(place / "hf" / "hub"))
    monkeypatch.setenv("ADAPTERXFER_CACHE", str(place / "pulled"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "xdg"))
    forget_backbones()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study on the backbone, run and bundled by the command line."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("hub-backbone")
    files = write_xlm_r(root / "made")
    recipe = root / "r.yaml"
    with pytest.MonkeyPatch.context() as patch, StandInHub() as server:
        patch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        patch.setenv("HF_ENDPOINT", server.url)
        empty_cache(patch, root / "cache")
        commit = server.commit("encoders/tiny-xlm-r", files)
        recipe.write_text(RECIPE.replace("REVISION", commit))
        assert main(["check", str(recipe)]) == 0
        assert main(["plan", str(recipe), "--store", str(root / "store")]) == 0
        assert server.requests == [], "a plan asks nobody"
        assert main(["run", str(recipe), "--store", str(root / "store"), "--jobs", "1"]) == 0
        asked = {path.rpartition("/")[2] for _, path in server.requests if "/resolve/" in path}
        assert asked == set(WANTED) & files.keys(), "no pickle and no code is ever asked for"
        command = ["bundle", str(recipe), "--store", str(root / "store"), "--out", str(root / "out")]
        assert main([*command, "--only", "intermediate=world-nli"]) == 0
    forget_backbones()
    (out,) = (root / "out").iterdir()
    return Study(recipe, root / "store", out, commit, files)


@pytest.fixture
def served(study: Study, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandInHub:
    """The Hub with the encoder, and a machine that has nothing of it."""
    assert hub.commit("encoders/tiny-xlm-r", study.files) == study.commit
    empty_cache(monkeypatch, tmp_path)
    return hub


def test_the_bundle_names_the_encoder_and_its_commit(study: Study) -> None:
    manifest = read_manifest(study.out)
    assert (manifest.backbone.kind, manifest.backbone.included) == ("hub", False)
    assert manifest.backbone.identity["repo"] == "encoders/tiny-xlm-r"
    assert manifest.backbone.identity["revision"] == study.commit
    card = (study.out / "README.md").read_text()
    assert "base_model: encoders/tiny-xlm-r" in card
    assert "base_model_relation: adapter" in card
    assert f"encoders/tiny-xlm-r at {study.commit}" in card
    config = json.loads((study.out / "t00" / "adapter_config.json").read_text())
    assert config["model_name"] == "encoders/tiny-xlm-r"


def test_push_pull_and_use_on_a_machine_that_has_nothing(
    study: Study, served: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pull` verifies in a fresh process, which fetches the encoder; then raw text is asked."""
    assert main(["push", str(study.out), "--to", "org/name"]) == 0
    commit = served.repositories["org/name"].branches["main"]
    assert main(["pull", f"org/name@{commit}"]) == 0
    assert f"org/name@{commit}: verified, logits differ by 0" in capsys.readouterr().out
    assert (tmp_path / "hf" / "hub" / "models--encoders--tiny-xlm-r").is_dir(), "fetched by the fresh process"
    before = len(served.requests)
    loaded = load_bundle(f"org/name@{commit}")
    (answer,) = loaded.classify([("a first text", "a second text")])
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
    assert open_bundle(loaded.folder).difference == 0.0
    asked = [path for _, path in served.requests[before:] if "/resolve/" in path]
    assert asked == [], "everything is in the caches"
    served.stop()
    forget_backbones()
    assert main(["verify", f"org/name@{commit}", "--debug"]) == 0, "with warm caches nobody is needed"


NATIVE = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
folder, card = sys.argv[1:]
code = next(block for block in open(card).read().split("```python\\n")[1:] if "adapters.init" in block).split("```")[0]
names = {}
exec(code.replace('"' + folder.rpartition("/")[2] + '"', repr(folder)), names)
ids = torch.tensor([[0, 7, 8, 9, 2]])
with torch.inference_mode():
    theirs = names["model"].eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
from adapterxfer import load_bundle
with torch.inference_mode():
    ours = load_bundle(folder).model(ids, torch.ones_like(ids))
print(float((ours - theirs).abs().max()))
"""


def test_the_code_on_the_card_fetches_the_encoder_itself(study: Study, served: StandInHub, tmp_path: Path) -> None:
    pytest.importorskip("adapters")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", NATIVE, str(study.out), str(study.out / "README.md")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= 1e-5


def test_another_encoder_under_the_same_commit_is_refused(study: Study, served: StandInHub, tmp_path: Path) -> None:
    """Whoever serves the Hub can lie about a commit; the fingerprint in the bundle cannot be met by other weights."""
    other = write_xlm_r(tmp_path / "other", seed=2)
    served.repositories["encoders/tiny-xlm-r"].commits[study.commit] = other
    with pytest.raises(BundleError, match=r"trained on backbone 'encoders/tiny-xlm-r' at revision \w{40} with finger"):
        load_bundle(study.out)


@pytest.mark.parametrize(
    ("kind", "details", "reason"),
    [
        ("drop", {}, "the Hub was not reached"),
        ("status", {"status": 500}, r"the Hub failed \(HTTP 500\)|the Hub was not reached"),
        ("status", {"status": 403}, r"the Hub refused \(HTTP 403\)"),
    ],
)
def test_a_hub_that_does_not_give_the_encoder(
    study: Study, served: StandInHub, kind: str, details: dict[str, int], reason: str
) -> None:
    served.fail("GET", "/api/models/encoders", kind, times=99, **details)
    with pytest.raises(BundleError, match=reason):
        load_bundle(study.out)
    served.faults.clear()
    assert load_bundle(study.out).manifest.name == study.out.name


def test_a_server_that_is_gone_before_anything_was_fetched(study: Study, served: StandInHub) -> None:
    served.stop()
    with pytest.raises(BackboneError, match=r"not in the cache, and the Hub was not reached") as caught:
        backbone_folders(load_recipe(study.recipe))
    assert "run again where there is a connection" in caught.value.fix


def test_repositories_that_are_not_there(study: Study, served: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = study.recipe.read_text()
    for old, new, reason in (
        (study.commit, "f" * 40, "no such commit in this repository"),
        ("encoders/tiny-xlm-r", "encoders/nothing", "no such repository, or it is private"),
    ):
        path = study.recipe.with_name("other.yaml")
        path.write_text(recipe.replace(old, new))
        with pytest.raises(BackboneError, match=reason):
            backbone_folders(load_recipe(path))


def test_a_repository_with_pickles_only(study: Study, served: StandInHub) -> None:
    files = {name: content for name, content in study.files.items() if name != "model.safetensors"}
    commit = served.commit("encoders/tiny-xlm-r", files)
    path = study.recipe.with_name("pickled.yaml")
    path.write_text(study.recipe.read_text().replace(study.commit, commit))
    with pytest.raises(BackboneError, match=r"it has no config\.json with weights in safetensors"):
        backbone_folders(load_recipe(path))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_transfer_is_noticed_before_training_and_fetched_anew(
    study: Study, served: StandInHub, tmp_path: Path, name: str
) -> None:
    served.fail("GET", f"/resolve/.*/{name}", "corrupt")
    with pytest.raises(BackboneError, match=r"hash \w{16}; the Hub states \w{16}: the transfer was damaged"):
        backbone_folders(load_recipe(study.recipe))
    (folder,) = backbone_folders(load_recipe(study.recipe)).values()
    assert (Path(folder) / name).read_bytes() == study.files[name]


def test_a_changed_file_in_the_cache_is_noticed(study: Study, served: StandInHub) -> None:
    (folder,) = backbone_folders(load_recipe(study.recipe)).values()
    path = Path(folder) / "model.safetensors"
    tensors = load_file(path)
    tensors["roberta.encoder.layer.0.output.dense.bias"] += 1
    copy = path.resolve().with_suffix(".new")
    save_file(tensors, copy, metadata={"format": "pt"})
    shutil.move(copy, path.resolve())
    with pytest.raises(BackboneError, match="the transfer was damaged"):
        backbone_folders(load_recipe(study.recipe))
