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
