"""List the recipes that come with the package, or copy one to change it."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError, Problem, RecipeError
from adapterxfer.recipe.including import included_files
from adapterxfer.recipe.shipped import shipped_recipes, title_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `recipes`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="what there is", description="The recipes that come with the package.")
    add_json(listed)
    copy = actions.add_parser(
        "copy", help="write one into a folder, to change it",
        description="Write a recipe, and the files of hypotheses that it includes, into a folder.",
    )  # fmt: skip
    copy.add_argument("name", help="as `adapterxfer recipes list` calls it, e.g. quickstart")
    copy.add_argument("folder", nargs="?", type=Path, default=Path(), help="where to (default: the current folder)")
    copy.add_argument("--force", action="store_true", help="write over files that are there")


def execute(arguments: argparse.Namespace) -> int:
    """Print the list, or copy."""
    if arguments.action == "copy":
        return _copy(arguments.name, arguments.folder, force=arguments.force)
    rows = [(name, title_of(path)) for name, path in shipped_recipes().items()]
    if arguments.json:
        say_json("recipes", {"recipes": [{"recipe": name, "title": title} for name, title in rows]})
    else:
        say_table(["recipe", "title"], rows)
        say("run one by its name (adapterxfer run quickstart), or copy it: adapterxfer recipes copy quickstart")
    return 0


def _copy(name: str, folder: Path, *, force: bool) -> int:
    """Copy a recipe with what it includes.

    Raises:
        RecipeError: there is no such recipe.
        AdapterxferError: a file is there already, or the folder cannot be written.
    """
    source = shipped_recipes().get(name.removesuffix(".yaml"))
    if source is None:
        problem = Problem(1, 1, "no recipe of this name comes with the package")
        raise RecipeError(name, [problem], fix=f"name one of {', '.join(shipped_recipes())}")
    files = {path: folder / path.relative_to(source.parent) for path in (source, *included_files(source))}
    there = [str(target) for target in files.values() if target.exists()]
    if there and not force:
        raise AdapterxferError(
            f"{', '.join(there)}: there already", fix="copy into another folder, or write over with --force"
        )
    try:
        for path, target in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            say(str(target))
    except OSError as error:
        raise AdapterxferError(f"{folder}: {error.strerror}", fix="copy into a folder that you may write") from None
    say(f"next: adapterxfer check {files[source]}")
    return 0
