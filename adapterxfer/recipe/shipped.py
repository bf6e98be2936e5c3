"""The recipes that come with the package: named without a path, so that they run outside of any checkout.

In a wheel they are package data; in a checkout they are the folder `recipes/` beside the package.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import adapterxfer
from adapterxfer.recipe.yaml_core import parse_yaml

SUFFIX = ".yaml"


def recipes_folder() -> Path:
    """Where the recipes of this installation are."""
    package = Path(adapterxfer.__file__).parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


@cache
def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with the package, by name."""
    return {path.stem: path for path in sorted(recipes_folder().glob(f"*{SUFFIX}"))}


def recipe_file(named: str | Path) -> Path:
    """The file that a recipe's name or path means; a file of the current folder wins over a shipped name."""
    path = Path(named)
    return shipped_recipes().get(str(named), path) if not path.exists() else path


def given_name(named: str | Path) -> str:
    """A recipe's name or path as pages may repeat it: as it was given, without the folders of this machine.

    A path below the current folder is relative to it, of any other absolute path the file name is left.
    """
    path = Path(named)
    if not path.is_absolute():
        return path.as_posix()
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.name


def title_of(path: Path) -> str:
    """What a recipe calls itself."""
    value = parse_yaml(path.read_bytes(), str(path)).value
    return str(value.get("title", "")) if isinstance(value, dict) else ""
