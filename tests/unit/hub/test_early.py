"""Published adapters that do not fit are refused by `check` and `run`, all at once, before anything is trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_study import Make, training_tools
from reuse_tools import CARD, PLACE, change_config, make_adapterhub, make_peft, publish
from stand_in_hub import StandInHub

from adapterxfer.catalog import METHODS
from adapterxfer.cli.main import main
from adapterxfer.hub.about import ask_about, known_about
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.early import look_at_published
from adapterxfer.hub.fetching import fetch_published
from adapterxfer.hub.fitting import RequiredAdapter, adapter_size, bundle_differences
from adapterxfer.hub.manifest import read_manifest
from adapterxfer.hub.pushing import push
from adapterxfer.recipe.loading import parse_recipe
from adapterxfer.variants.adapter import AdapterShape

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

RECIPE = """
recipe: 1
name: early
backbones: [BACKBONE]
intermediate_tasks: [none, {name: world-nli, from: NLI}, {name: world-qa, from: QA}]
target_tasks: [world-xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train: {default: {learning_rate: 1e-2, batch_size: 8, max_length: 32, steps: 3}}
tasks: {world-xnli: {train_examples: 24, dev_examples: 6, test_examples: 6, languages: [en, a1, c1]}}
controls: false
statistics: {resamples: 100}
"""
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(nli, qa, backbone=..., more=...)`` -> path of a recipe."""

    def make(nli: str, qa: str = "", *, backbone: str = "world-nano", more: str = "") -> str:
        text = RECIPE.replace("BACKBONE", backbone).replace("NLI", nli)
        text = text.replace("QA", qa) if qa else text.replace(", {name: world-qa, from: QA}", "")
        path = tmp_path / "early.yaml"
        path.write_text(text + more)
        return str(path)

    return make


def trained(store: Path) -> list[str]:
    """Kinds of finished and failed trainings in a store."""
    return sorted(path.name for path in store.glob("train_*"))


def test_without_the_hub_a_check_says_what_it_did_not_look_at(
    write: Write, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write(PLACE)
    assert main(["check", recipe]) == 0
    assert "world-nli on world-nano, from hub:org/name@0123456789ab: not looked at" in capsys.readouterr().out
    assert main(["plan", recipe, "--store", "nothing"]) == 0
    assert "not looked at yet: world-nli on world-nano" in capsys.readouterr().out
    assert hub.requests == []


def test_a_check_stays_light(write: Write, hub: StandInHub, tmp_path: Path) -> None:
    code = (
        "import sys; from adapterxfer.cli.main import main; assert main(['check', sys.argv[1]]) == 0;"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, write(PLACE)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_adapter_that_does_not_fit_is_named_by_one_check(
    write: Write, hub: StandInHub, bundle: Make, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the descriptions are known, and a check without the Hub says the same."""
    ours = f"hub:org/nli@{push(bundle('stack', phase='intermediate', full=False), 'org/nli').commit}"
    make_peft(encoder, tmp_path / "made", r=2)
    recipe = write(ours, publish(hub, tmp_path / "made", b"no metadata"))
    capsys.readouterr()  # transformers 5 shows how it loads the encoder that peft needs
    assert main(["check", recipe, "--online"]) == 2
    message = capsys.readouterr().err
    for part in (
        "early: 2 published adapters do not fit",
        "world-nli on world-nano, from hub:org/nli@",
        "hidden size 24; backbone 'world-nano' has 48",
        "adapter of size 6 (bottleneck or rank); the recipe asks for 12",
        "its licence is unstated",
        "world-qa on world-nano, from hub:other/adapter@",
        "a LORA adapter of peft; the recipe asks for seq_bn",
        "trained on backbone 'tiny'; the recipe's is world-nano",
    ):
        assert part in message, part
    assert not [path for _, path in hub.requests if path.endswith(".safetensors") and "/resolve/" in path]
    hub.stop()
    assert main(["check", recipe]) == 2
    assert capsys.readouterr().err == message
    assert main(["plan", recipe, "--store", str(tmp_path / "store")]) == 0
    out = capsys.readouterr().out
    assert out.count("published adapter does not fit") == 2


def test_a_run_refuses_before_anything_is_trained(
    write: Write, hub: StandInHub, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    recipe = write(publish(hub, tmp_path / "made", CARD))
    assert main(["run", recipe, "--store", str(tmp_path / "store"), "--jobs", "1"]) == 2
    captured = capsys.readouterr()
    assert "hidden size 24; backbone 'world-nano' has 48" in captured.err
    assert "trained on backbone 'tiny'; the recipe's is world-nano" in captured.err
    assert "Traceback" not in captured.err
    assert trained(tmp_path / "store") == []


def test_what_only_the_weights_tell_is_refused_first_too(
    write: Write, hub: StandInHub, bundle: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same sizes, other weights: the description fits, the fingerprint does not."""
    ours = push(bundle("stack", phase="intermediate", full=False), "org/nli").commit
    other = training_tools().write_backbone(tmp_path / "other", hidden=24, layers=2, seed=7)
    more = f"backbone_sources: {{tiny: {{folder: {other}}}}}\n"
    recipe = write(f"{{tiny: 'hub:org/nli@{ours}'}}, licence: other", backbone="tiny", more=more)
    assert main(["check", recipe, "--online"]) == 2, "the study's own text has no licence"
    assert "its licence is apache-2.0; the recipe accepts other" in capsys.readouterr().err
    recipe = write(f"{{tiny: 'hub:org/nli@{ours}'}}", backbone="tiny", more=more)
    assert main(["check", recipe, "--online"]) == 0
    assert "fits by its description" in capsys.readouterr().out
    assert main(["run", recipe, "--store", str(tmp_path / "store"), "--jobs", "1"]) == 2
    captured = capsys.readouterr()
    assert "early: published adapters cannot be used; nothing was trained" in captured.err
    assert "world-nli on tiny: org/nli@" in captured.err
    assert "pretrained by the recipe) with fingerprint" in captured.err
    assert trained(tmp_path / "store") == []


@pytest.mark.parametrize(("fault", "reason"), [("gone", "cannot be reached"), ("commit", "no such revision")])
def test_a_hub_that_does_not_answer_stops_a_run_before_training(
    write: Write, hub: StandInHub, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str,
    reason: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_adapterhub(encoder, tmp_path / "made")
    place = publish(hub, tmp_path / "made")
    monkeypatch.setattr("adapterxfer.hub.requests.ATTEMPTS", 1)
    if fault == "gone":
        hub.stop()
    else:
        place = place[:-4] + "0000"
    recipe = write(place)
    assert main(["run", recipe, "--store", str(tmp_path / "store"), "--jobs", "1"]) == 1
    assert reason in capsys.readouterr().err
    assert trained(tmp_path / "store") == []
    assert main(["check", recipe]) == 0, "without asking, there is nothing known against it"


def test_descriptions_are_found_where_the_adapter_is(
    hub: StandInHub, bundle: Make, encoder: Path, tmp_path: Path
) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    foreign = parse_address(publish(hub, tmp_path / "made"))
    ours = parse_address(f"org/nli@{push(bundle('stack', phase='intermediate', full=False), 'org/nli').commit}")
    for place in (foreign, ours):
        assert known_about(place) is None
        fetch_published(place)
        before = len(hub.requests)
        found = known_about(place)
        assert found == ask_about(place)
        assert found is not None
        assert (found.manifest is None) == (place == foreign)
        assert len(hub.requests) == before


def test_a_damaged_bundle_in_the_cache_does_not_speak_for_itself(hub: StandInHub, bundle: Make) -> None:
    place = parse_address(f"org/nli@{push(bundle('stack', phase='intermediate', full=False), 'org/nli').commit}")
    path = fetch_published(place).folder / "bundle.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    assert known_about(place) is None
    found = ask_about(place)
    assert found.manifest is not None
    assert found.manifest.seed == 1


def test_a_damaged_description_is_fetched_anew(hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    place = parse_address(publish(hub, tmp_path / "made"))
    first = ask_about(place)
    (path,) = (tmp_path / "pulled" / ".about").rglob("adapter_config.json")
    path.write_text("{}")
    assert known_about(place) is None
    assert ask_about(place) == first
    hub.fail("GET", "/resolve/.*adapter_config.json", "corrupt", times=99)
    path.write_text("{}")
    recipe = parse_recipe(RECIPE.replace("BACKBONE", "world-nano").replace("NLI", f"hub:other/adapter@{place.revision}")
                          .replace(", {name: world-qa, from: QA}", ""))  # fmt: skip
    (look,) = look_at_published(recipe, online=True)
    assert "do not match the hash it lists" in look.differences[0]


@pytest.mark.parametrize("hidden", [24, 48, 50, 768])
def test_sizes_are_those_of_the_variants(hidden: int) -> None:
    for method in METHODS.values():
        for key in method.sizes:
            for value in (1, 3, 16, 64):
                adapter = {"method": method.name, key: value}
                assert adapter_size(adapter, hidden) == AdapterShape.of(adapter, hidden).bottleneck_size
    assert adapter_size({"method": "ia3"}, None) == AdapterShape.of({"method": "ia3"}, hidden).bottleneck_size
    assert adapter_size({"method": "seq_bn", "reduction_factor": 4}, None) is None


def test_package_weights_of_another_version(bundle: Make) -> None:
    manifest = read_manifest(bundle("stack", phase="intermediate"))
    facts: dict[str, Any] = {"kind": "embedded", "name": "tiny", "fingerprint": "a" * 64}
    entry = manifest.backbone.model_copy(update={"kind": "embedded", "identity": facts})
    changed = manifest.model_copy(update={"backbone": entry, "license": "mit"})
    wanted = RequiredAdapter(
        task="world-nli", method="seq_bn", size=6, licence=None, backbone="tiny", identity=facts,
        model_type="xlm-roberta", hidden_size=24, layers=2,
    )  # fmt: skip
    assert bundle_differences(changed, wanted) == []
    import dataclasses

    newer = dataclasses.replace(wanted, identity={**facts, "fingerprint": "b" * 64})
    (difference,) = bundle_differences(changed, newer)
    assert difference.endswith("which has other weights than backbone 'tiny'")
    elsewhere = dataclasses.replace(wanted, identity={"kind": "hub", "repo": "a/b", "revision": "c" * 40})
    assert bundle_differences(changed, elsewhere) == [], "a copy may hold the same weights: compared when loaded"


def test_json_for_programs(
    write: Write, hub: StandInHub, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "nano"
    training_tools().write_backbone(root / "backbone", hidden=48, layers=2)
    make_adapterhub(root / "backbone", root / "made")
    change_config(root / "made", model_name="world-nano")
    place = publish(hub, root / "made")
    recipe = write(place)
    assert main(["check", recipe, "--online", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["published"]
    assert entry["looked"] is True
    assert (entry["task"], entry["backbone"], entry["repository"]) == ("world-nli", "world-nano", "other/adapter")
    assert f"hub:{entry['repository']}@{entry['commit']}" == place
