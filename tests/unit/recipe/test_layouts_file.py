"""`layouts: FILE` puts the description of a data folder into a recipe that does not know the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import load_recipe

RECIPES = Path(__file__).parents[3] / "recipes"
MINE = """
xcopa:
  train: {path: "a.jsonl", layout: jsonl, columns: {choices: [x, y], label: label}}
mnli:
  train: {path: "b.csv", layout: csv, columns: {text: p, label: g}}
"""


def test_the_tasks_of_the_recipe_take_their_layouts(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    recipe = load_recipe(RECIPES / "real-formats.yaml", [f"layouts={tmp_path / 'mine.yaml'}"])
    layout = recipe.tasks["xcopa"].layout
    assert layout is not None
    assert layout["train"]["path"] == "a.jsonl"
    assert recipe.tasks["xcopa"].test_examples == 300
    assert "mnli" not in recipe.tasks
    assert load_recipe(RECIPES / "real-formats.yaml", ["layouts=null"]).tasks["xcopa"].layout is None


def test_the_file_is_found_beside_the_recipe_and_then_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    for folder, name in ((study, "beside.jsonl"), (elsewhere, "here.jsonl")):
        folder.mkdir()
        (folder / "mine.yaml").write_text(MINE.replace("a.jsonl", name))
    recipe = study / "r.yaml"
    recipe.write_text((RECIPES / "real-formats.yaml").read_text() + "\nlayouts: mine.yaml\n")
    monkeypatch.chdir(elsewhere)
    for path in ("beside.jsonl", "here.jsonl"):
        layout = load_recipe(recipe).tasks["xcopa"].layout
        assert layout is not None
        assert layout["train"]["path"] == path
        (study / "mine.yaml").unlink(missing_ok=True)
    (elsewhere / "mine.yaml").unlink()
    with pytest.raises(RecipeError, match="beside the recipe or in the current folder"):
        load_recipe(recipe)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("xcopy: {train: {path: a}}", "no task 'xcopy'"),
        ("[]", "describes no task"),
        ("xcopa: {trai: {path: a}}", "trai"),
        ("a: [", "mine.yaml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(RecipeError) as error:
        load_recipe(RECIPES / "real-formats.yaml", [f"layouts={tmp_path / 'mine.yaml'}"])
    assert message in str(error.value)


def test_it_is_a_path(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="path of a file"):
        load_recipe(RECIPES / "real-formats.yaml", ["layouts=[1]"])
