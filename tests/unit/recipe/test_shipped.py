"""Recipes that come with the package: found by name, from anywhere, with what they include."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.catalog.lengths import WORLD_SERIES
from adapterxfer.cli.main import main
from adapterxfer.errors import RecipeError
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.recipe.loading import parse_recipe
from adapterxfer.recipe.shipped import recipe_file, recipes_folder, shipped_recipes
from adapterxfer.report.settings import ReportSettings


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_shipped_recipe_loads_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe(name) == load_recipe(shipped_recipes()[name])


@pytest.mark.parametrize("name", ["phang2020", "xtreme-r-scaling", "low-resource-families"])
def test_the_studies_for_bigger_machines_can_run_on_the_world(name: str) -> None:
    plan = build_plan(load_recipe(name, ["world=true"]))
    assert plan.obstacles() == []
    lengths = {
        stage.identity["settings"]["max_length"] for stage in plan.stages.values() if "settings" in stage.identity
    }
    assert max(lengths) == WORLD_SERIES


def test_a_file_of_the_current_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe_file("quickstart") == recipes_folder() / "quickstart.yaml"
    Path("quickstart").write_text("recipe: 1\n", encoding="utf-8")
    assert recipe_file("quickstart") == Path("quickstart")
    with pytest.raises(RecipeError, match="backbones"):
        load_recipe("quickstart")


def test_a_recipe_is_called_as_it_was_given_and_never_by_the_folders_of_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "recipes").mkdir(parents=True)
    monkeypatch.chdir(here)
    text = recipe_file("quickstart").read_text(encoding="utf-8")
    inside, outside = here / "recipes" / "mine.yaml", tmp_path / "mine.yaml"
    for path in (inside, outside):
        path.write_text(text, encoding="utf-8")
    calls = {
        "quickstart": "quickstart",
        "recipes/mine.yaml": "recipes/mine.yaml",
        "../mine.yaml": "../mine.yaml",
        str(inside): "recipes/mine.yaml",
        str(outside): "mine.yaml",
    }
    keys = set()
    for given, called in calls.items():
        recipe = load_recipe(given)
        assert recipe.file == called
        report = build_plan(recipe).report
        assert report is not None
        assert report.labels["recipe_file"] == called
        assert ReportSettings.from_identity(report.identity, report.labels).recipe_file == called
        keys.add(report.key)
    assert len(keys) == 1, "what a file is called changes no result"
    assert parse_recipe(text).file == "quickstart.yaml", "a recipe of no file: where it would be saved"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="cannot be read") as caught:
        load_recipe("quickstat")
    assert "one of" in caught.value.fix
    assert "quickstart" in caught.value.fix


def test_copy_brings_the_included_hypotheses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "copy", "phang2020", str(tmp_path / "mine")]) == 0
    assert f"next: adapterxfer check {tmp_path / 'mine' / 'phang2020.yaml'}" in capsys.readouterr().out
    (copied,) = (tmp_path / "mine").glob("*.yaml")
    assert load_recipe(copied) == load_recipe("phang2020")
    assert len(load_recipe(copied).statistics.hypotheses) > 0
    assert (tmp_path / "mine" / "hypotheses" / "phang2020.yaml").is_file()


def test_copy_writes_over_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quickstart.yaml").write_text("mine", encoding="utf-8")
    assert main(["recipes", "copy", "quickstart", str(tmp_path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "quickstart.yaml").read_text(encoding="utf-8") == "mine"
    assert main(["recipes", "copy", "quickstart.yaml", str(tmp_path), "--force"]) == 0
    assert load_recipe(tmp_path / "quickstart.yaml").name == "quickstart"


def test_list_and_an_unknown_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert {row["recipe"] for row in listed} == set(shipped_recipes())
    assert all(row["title"] for row in listed)
    assert main(["recipes", "copy", "nothing", str(tmp_path)]) == 2
    assert "name one of" in capsys.readouterr().err
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["recipes", "copy", "quickstart", str(tmp_path / "file")]) == 2
    assert "may write" in capsys.readouterr().err
