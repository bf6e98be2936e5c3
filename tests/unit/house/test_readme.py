"""The README keeps its promises: commands exist, the recipe is valid, links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import adapterxfer
from adapterxfer.cli.main import COMMANDS
from adapterxfer.recipe import parse_recipe

ROOT = Path(adapterxfer.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return str(found)


def test_every_command_in_it_exists() -> None:
    named = set(re.findall(r"(?:^    |`)adapterxfer ([a-z]+)", README, flags=re.MULTILINE))
    known = set(COMMANDS)
    assert {"check", "plan", "run", "status", "compare", "ls"} <= named
    assert named <= known, f"unknown commands: {sorted(named - known)}"


def test_its_recipe_is_valid() -> None:
    recipe = parse_recipe(block("yaml"), "README.md", ())
    assert recipe.name == "small-grid"


def test_its_python_names_public_things() -> None:
    tree = ast.parse(block("python"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert names
    assert set(names) <= set(adapterxfer.__all__)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_its_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_its_scripts_are_there_and_executable() -> None:
    for name in ("scripts/quickstart", "scripts/test"):
        assert name in README
        assert (ROOT / name).stat().st_mode & 0o111
