"""docs/recipes.md names every key, and its examples work."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from adapterxfer.recipe import parse_recipe
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.settings import DEFAULTS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
DECLARED = (ROOT / "docs" / "own-tasks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)
YAML = [code for language, code in BLOCKS if language == "yaml"]
PYTHON = [code for language, code in BLOCKS if language == "python"]


def models(annotation: object) -> set[type[BaseModel]]:
    """All sections that an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found = {annotation}
        for field in annotation.model_fields.values():
            found |= models(field.annotation)
        return found
    return {model for argument in typing.get_args(annotation) for model in models(argument)}


def test_every_key_is_described() -> None:
    keys = {field.alias or name for model in models(Recipe) for name, field in model.model_fields.items()}
    assert len(keys) > 60
    named = [rf"`{key}`|^## .*\b{key}\b|\b{key}:" for key in sorted(keys)]
    described = TEXT + DECLARED
    assert [pattern for pattern in named if not re.search(pattern, described, flags=re.MULTILINE)] == []


def test_defaults_are_those_of_the_code() -> None:
    for key, value in DEFAULTS.items():
        shown = f"{value:g}" if isinstance(value, float | int) else value
        assert re.search(rf"^\| `{key}` \| {shown} \|", TEXT, flags=re.MULTILINE), key


def test_the_whole_example_loads_and_takes_every_part() -> None:
    whole, *parts = YAML
    assert parse_recipe(whole).name == "example"
    for part in parts:
        key = part.partition(":")[0]
        kept = "\n".join(line for line in whole.splitlines() if not re.match(rf"{key}:|  ", line) or key != "train")
        recipe = parse_recipe(f"{kept}\n{part}")
        assert getattr(recipe, key)


def test_the_planning_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(PYTHON[0], "docs/recipes.md", "exec"), {})
    assert "stages" in capsys.readouterr().out


@pytest.mark.slow
def test_the_running_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    exec(compile("import adapterxfer\n" + PYTHON[1], "docs/recipes.md", "exec"), {})
    out = capsys.readouterr().out
    assert out.startswith("0 ")
    assert "points from" in out
