"""Push and pull over HTTP against a Hub on localhost: round trips, branches, and what is sent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ask_bundles
import pytest
import torch
from hub_study import Make
from safetensors.torch import load_file
from stand_in_hub import StandInHub, card_problems
from transfers import pull, push

from adapterxfer import load_bundle
from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.pushing import push as push_to

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

VARIANTS = ("full-ft", "sequential", "stack", "fuse")
TRAINED = ("world-xnli", "world-pos", "world-xqa", "world-xmc")


@pytest.mark.parametrize("target", TRAINED)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_and_format_makes_the_round_trip(
    bundle: Make, hub: StandInHub, variant: str, target: str
) -> None:
    folder = bundle(variant, target)
    pushed = push_to(folder, "org/name")
    assert pushed.changed
    pulled = pull(f"org/name@{pushed.commit}")
    assert pulled.fetched
    before, after = open_bundle(folder).model, open_bundle(pulled.folder).model
    for name, tensor in before.own_state().items():
        assert torch.equal(tensor, after.own_state()[name]), name
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    with torch.inference_mode():
        assert float((before(ids) - after(ids)).abs().max()) <= 1e-6


def test_a_fresh_process_with_an_empty_cache_gives_the_same_logits(
    bundle: Make, hub: StandInHub, tmp_path: Path
) -> None:
    """Every variant on every format, and the intermediate models that retrieval is evaluated with."""
    folders = {f"org/{v}-{t}": bundle(v, t) for v in VARIANTS for t in TRAINED}
    folders |= {f"org/{v}-retrieval": bundle(v, phase="intermediate") for v in ("full-ft", "stack")}
    places = [f"{name}@{push_to(folder, name, private=True).commit}" for name, folder in folders.items()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, str(ask_bundles.__file__), str(tmp_path / "answers.safetensors"), *places]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr, "a progress bar"
    found = load_file(tmp_path / "answers.safetensors")
    assert len(found) == 3 * len(folders) == 54
    for name, folder in folders.items():
        loaded = load_bundle(folder)
        stored = load_file(folder / "probes.safetensors")
        (head,) = loaded.manifest.composition.heads
        embedded = torch.from_numpy(loaded.embed(ask_bundles.TEXTS))
        for kind, expected in (
            (f"{head.id} outputs", stored[f"{head.id}.outputs"]), (f"{head.id} hidden", stored[f"{head.id}.hidden"]),
            ("embed", embedded),
        ):  # fmt: skip
            assert float((found[f"{name} {kind}"] - expected).abs().max()) <= 1e-6, (name, kind)


def test_the_same_content_makes_no_commit(bundle: Make, hub: StandInHub) -> None:
    folder = bundle("stack")
    first = push_to(folder, "org/name")
    uploads = hub.count("PUT", "/upload/")
    second = push_to(folder, "org/name")
    assert (second.changed, second.commit) == (False, first.commit)
    assert hub.count("PUT", "/upload/") == uploads
    assert hub.count("POST", "/commit/") == 1


def test_another_bundle_replaces_every_file(bundle: Make, hub: StandInHub) -> None:
    push_to(bundle("fuse"), "org/name")
    hub.commit("org/name", {**hub.files("org/name"), "old.json": b"{}"})
    push_to(bundle("full-ft"), "org/name")
    expected = {p.relative_to(bundle("full-ft")).as_posix() for p in bundle("full-ft").rglob("*") if p.is_file()}
    assert set(hub.files("org/name")) - {".gitattributes"} == expected


def test_branches_and_pinned_commits(bundle: Make, hub: StandInHub) -> None:
    first = push_to(bundle("stack"), "org/name")
    second = push_to(bundle("fuse"), "org/name", revision="fused")
    assert pull("org/name").commit == first.commit
    assert pull("org/name@fused").commit == second.commit
    assert pull(f"org/name@{first.commit}").manifest.composition.variant == "stack"
    with pytest.raises(HubError, match="no such revision"):
        pull("org/name@another")


def test_a_dry_run_sends_nothing(bundle: Make, hub: StandInHub) -> None:
    planned = push_to(bundle("stack"), "org/name", dry_run=True)
    assert planned.changed is None
    assert "heads.safetensors" in planned.files
    assert hub.requests == []


def test_the_published_card_is_valid_and_names_the_repository(bundle: Make, hub: StandInHub) -> None:
    from huggingface_hub import ModelCard

    push_to(bundle("stack", full=False), "org/name")
    text = hub.files("org/name")["README.md"].decode()
    assert 'load_bundle("org/name", backbone="FOLDER OF tiny")' in text
    assert card_problems(text) == []
    card = ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert len(card.data.eval_results) > 1


def test_machine_paths_and_tokens_do_not_leave(bundle: Make, hub: StandInHub, tmp_path: Path) -> None:
    from test_hostile import reseal

    tokens = ("hf_" + "a" * 34, "sk-" + "aB3" * 12, "AKIA" + "Q7" * 8)
    for text in ("/home/somebody/data", *tokens, "C:\\\\Users"):
        folder = Path(shutil.copytree(bundle("stack"), tmp_path / f"copy{len(list(tmp_path.iterdir()))}"))
        content = json.loads((folder / "recipe.json").read_text())
        (folder / "recipe.json").write_text(json.dumps({**content, "title": text.replace("\\\\", "\\")}))
        reseal(folder)
        with pytest.raises(BundleError, match=r"recipe\.json: holds (what looks like an access token|a path)"):
            push_to(folder, "org/name")
    assert hub.requests == []


def test_private_is_never_silently_public(bundle: Make, hub: StandInHub) -> None:
    folder = bundle("stack")
    push_to(folder, "org/closed", private=True)
    assert hub.repositories["org/closed"].private
    assert push_to(folder, "org/closed", private=True).changed is False
    push_to(folder, "org/open")
    before = dict(hub.files("org/open"))
    with pytest.raises(BundleError, match="exists and is public, which --private does not change; nothing was sent"):
        push_to(bundle("fuse"), "org/open", private=True)
    assert hub.files("org/open") == before


def test_an_unchanged_push_says_nothing_beside_its_answer(
    bundle: Make, hub: StandInHub, caplog: pytest.LogCaptureFixture
) -> None:
    push(bundle("stack"))
    caplog.clear()
    assert push(bundle("stack")).changed is False
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []
