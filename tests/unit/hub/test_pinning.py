"""Commits of backbones: asked for over HTTP, printed as a recipe takes them, refused where nothing could be loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from stand_in_hub import StandInHub

from adapterxfer.cli.main import main
from adapterxfer.hub.pinning import find_pin
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe, parse_recipe

ROOT = Path(__file__).parents[3]
XLM_R = "FacebookAI/xlm-roberta-base"
REAL = """recipe: 1
name: real
backbones: [xlm-r-base]
intermediate_tasks: [none]
target_tasks: [xnli]
variants: [full-ft]
seeds: [1]
train: {default: {learning_rate: 1e-5, epochs: 2}}
"""
WHOLE = {"config.json": b"{}", "model.safetensors": b"x", "tokenizer.json": b"{}"}
MDEBERTA = {"config.json": b"{}", "pytorch_model.bin": b"x", "spm.model": b"y"}


def test_the_printed_block_is_read_as_a_recipe_takes_it(hub: StandInHub, capsys: pytest.CaptureFixture[str]) -> None:
    first = hub.commit(XLM_R, WHOLE)
    assert main(["pin", "xlm-r-base"]) == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed) == {"backbone_sources": {"xlm-r-base": {"revision": first}}}
    text = (ROOT / "recipes" / "xtreme-r-scaling.yaml").read_text(encoding="utf-8")
    recipe = parse_recipe(text + "\n" + printed)
    assert recipe.backbone_sources["xlm-r-base"].revision == first
    second = hub.commit(XLM_R, WHOLE | {"README.md": b"new"})
    assert find_pin("xlm-r-base", XLM_R).commit == second != first
    assert find_pin("xlm-r-base", XLM_R, first).commit == first


def test_a_repository_of_any_name_is_pinned_with_it(hub: StandInHub, capsys: pytest.CaptureFixture[str]) -> None:
    commit = hub.commit("org/Encoder", WHOLE)
    assert main(["pin", "org/Encoder"]) == 0
    block = yaml.safe_load(capsys.readouterr().out)
    assert block == {"backbone_sources": {"encoder": {"hub": "org/Encoder", "revision": commit}}}


def test_pickled_weights_are_said_and_proposals_with_safetensors_named(
    hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = "microsoft/mdeberta-v3-base"
    hub.commit(repository, MDEBERTA)
    hub.commit(repository, MDEBERTA | {"other.txt": b"1"}, branch="refs/pr/1")
    converted = hub.commit(repository, MDEBERTA | {"model.safetensors": b"2"}, branch="refs/pr/2")
    assert main(["pin", "mdeberta-v3-base"]) == 1
    out, err = capsys.readouterr()
    assert yaml.safe_load(out) == {"backbone_sources": None}
    assert "lacks weights in safetensors (it has pickled ones, which are never read)" in out
    assert f"pull request 2 adds safetensors: revision {converted}" in out
    assert "pull request 1" not in out
    assert "mdeberta-v3-base: cannot be loaded" in err
    found = find_pin("mdeberta-v3-base", repository)
    assert found.proposals == (("pull request 2", converted),)
    assert not found.loadable


def test_what_a_whole_recipe_lacks(hub: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pin", str(ROOT / "recipes" / "quickstart.yaml")]) == 0
    assert "nothing to pin" in capsys.readouterr().out
    backbone = hub.commit(XLM_R, WHOLE)
    data = {name: hub.commit(f"datasets/{name}", {"README.md": b""}) for name in ("nyu-mll/glue", "facebook/xnli")}
    path = tmp_path / "recipe.yaml"
    path.write_text(REAL)
    before = build_plan(load_recipe(path))
    assert main(["pin", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(entry["name"], entry["commit"], entry["loadable"]) for entry in found["backbones"]] == [
        ("xlm-r-base", backbone, True)
    ]
    assert found["data_revisions"] == data
    assert main(["pin", str(path)]) == 0
    path.write_text(REAL + capsys.readouterr().out)
    recipe = load_recipe(path)
    assert recipe.data_revisions == data
    assert main(["pin", str(path)]) == 0
    assert "nothing to pin" in capsys.readouterr().out
    after = build_plan(recipe)
    sources = [s.identity["source"] for s in after.stages.values() if s.kind == "prepare"]
    assert [source["revisions"] for source in sources] == [data]
    assert not set(before.stages) & set(after.stages)


def test_pins_of_data_nobody_reads_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(REAL + "data_revisions:\n  facebook/xnly: 0123456789abcdef0123456789abcdef01234567\n")
    for command in ("check", "plan"):
        assert main([command, str(path)]) == 2
        assert "no task of the recipe reads facebook/xnly" in capsys.readouterr().err


@pytest.mark.parametrize("lacking", sorted(WHOLE))
def test_each_missing_part_is_named(hub: StandInHub, lacking: str) -> None:
    hub.commit("org/name", {name: content for name, content in WHOLE.items() if name != lacking})
    assert len(find_pin("name", "org/name").lacks) == 1


def test_errors_name_the_fix(hub: StandInHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pin", "world-nano"]) == 2
    assert "world backbones ship with the package" in capsys.readouterr().err
    assert main(["pin", "org/absent"]) == 1
    assert "org/absent: no such repository" in capsys.readouterr().err
    hub.commit("org/name", WHOLE)
    assert main(["pin", "org/name", "--revision", "gone"]) == 1
    assert "no such revision" in capsys.readouterr().err
    hub.stop()
    assert main(["pin", "org/name"]) == 1
    assert "the Hub cannot be reached" in capsys.readouterr().err
