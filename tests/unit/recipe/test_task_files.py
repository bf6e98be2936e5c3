"""Declarations of tasks in files of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import load_recipe

RECIPE = """\
recipe: 1
name: r
backbones: [world-nano]
intermediate_tasks: [none, reviews]
target_tasks: [reviews]
variants: [full-ft]
seeds: [1]
data_root: data
train: {default: {steps: 1, learning_rate: 1e-3}}
task_files: [tasks.yaml]
"""
TASKS = """\
reviews:
  format: sequence_classification
  role: both
  labels: [bad, good]
  licence: mit
  languages: [en, sw]
  layout:
    train: {path: train.csv, layout: csv, columns: {text: text, label: label}}
    test: {path: "{lang}.csv", layout: csv, columns: {text: text, label: label}}
"""


def write(root: Path, tasks: str, recipe: str = RECIPE) -> Path:
    (root / "tasks.yaml").write_text(tasks, encoding="utf-8")
    (root / "r.yaml").write_text(recipe, encoding="utf-8")
    return root / "r.yaml"


def test_a_file_declares_and_the_recipe_wins(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, TASKS))
    assert (recipe.task("reviews").licence, recipe.languages_of("reviews")) == ("mit", ("en", "sw"))
    assert recipe.overlap("reviews", "reviews")
    more = RECIPE + "tasks: {reviews: {languages: [sw], test_examples: 9}}\n"
    narrowed = load_recipe(write(tmp_path, TASKS, more), ["tasks.reviews.licence=cc0-1.0"])
    assert (narrowed.task("reviews").licence, narrowed.languages_of("reviews")) == ("cc0-1.0", ("sw",))
    assert narrowed.task("reviews").labels == ("bad", "good")


def test_the_same_words_in_the_recipe_are_the_same_study(tmp_path: Path) -> None:
    inside = "tasks:\n" + "".join(f"  {line}\n" for line in TASKS.splitlines())
    one = load_recipe(write(tmp_path, TASKS))
    other = load_recipe(write(tmp_path, TASKS, RECIPE.replace("task_files: [tasks.yaml]\n", inside)))
    assert one.digest == other.digest


@pytest.mark.parametrize(
    ("tasks", "recipe", "message"),
    [
        (TASKS.replace("good]", "bad]"), RECIPE, r"tasks.yaml:4:11: reviews.labels.*label 'bad' appears twice"),
        (TASKS.replace("both", "intermediate"), RECIPE, r"tasks.yaml:6:14: .*reviews.languages.*is not tested"),
        (TASKS.replace("format:", "fromat:"), RECIPE, r"tasks.yaml:2:3: unknown key 'reviews.fromat'"),
        ("- a\n", RECIPE, r"tasks.yaml:1:1: expected tasks"),
        (TASKS, RECIPE.replace("tasks.yaml", "none.yaml"), r"r.yaml:10:13: task_files: 'none.yaml' cannot be read"),
        (TASKS, RECIPE.replace("[tasks.yaml]", "3"), r"r.yaml:10:13: task_files should be the path"),
        (TASKS, RECIPE.replace("[tasks.yaml]", "[tasks.yaml, tasks.yaml]"), r"declares 'reviews' again"),
    ],
    ids=range(7),
)
def test_mistakes_have_their_place(tmp_path: Path, tasks: str, recipe: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(tmp_path, tasks, recipe))
