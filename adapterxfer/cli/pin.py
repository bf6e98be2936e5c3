"""Ask the Hub for the commits of backbones and data sets, and print the lines that pin them in a recipe."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.catalog import backbones
from adapterxfer.catalog.data_sets import COMMIT_LENGTH
from adapterxfer.cli.console import complain, say, say_json
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError
from adapterxfer.plan.pins import data_repositories
from adapterxfer.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from adapterxfer.hub.pinning import RepositoryState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `pin`."""
    parser.add_argument(
        "what", nargs="+", metavar="RECIPE|BACKBONE",
        help="recipe file (whatever in it has no commit yet), or names such as xlm-r-base or ORG/NAME",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="BRANCH", help="branch or tag of the backbones (default: main)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print blocks `backbone_sources` and `data_revisions`; exit code 1 where a backbone could not be loaded."""
    from adapterxfer.hub.pinning import find_data_commit, find_pin

    repositories: dict[str, str] = {}
    data: dict[str, str] = {}
    for argument in arguments.what:
        if Path(argument).is_file() or argument.endswith((".yaml", ".yml")):
            recipe = load_recipe(argument)
            repositories |= unpinned_backbones(recipe)
            data |= unpinned_data(recipe)
        else:
            repositories |= named(argument)
    pins = [find_pin(name, repository, arguments.revision) for name, repository in repositories.items()]
    commits = {repository: find_data_commit(repository, branch) for repository, branch in data.items()}
    if arguments.json:
        records = [asdict(pin) | {"loadable": pin.loadable} for pin in pins]
        say_json("pin", {"backbones": records, "data_revisions": commits})
    elif not pins and not commits:
        say("nothing to pin: everything in the recipe has a commit or a folder, or ships with the package")
    else:
        say_blocks(pins, commits)
    if unusable := [pin for pin in pins if not pin.loadable]:
        names = ", ".join(pin.name for pin in unusable)
        complain(
            f"{names}: cannot be loaded from the main branch as it is\n"
            "  fix: pin a commit that has safetensors, or save the backbone with save_pretrained and name its folder"
        )
        return 1
    return 0


def say_blocks(pins: list[RepositoryState], commits: dict[str, str]) -> None:
    """Print both blocks as a recipe takes them."""
    if pins:
        say("backbone_sources:")
    for pin in pins:
        say(line(pin))
        for title, commit in pin.proposals:
            say(f"  #   {title} adds safetensors: revision {commit}; anybody can open one, so look who did")
    if commits:
        say("data_revisions:")
    for repository, commit in commits.items():
        say(f"  {repository}: {commit}")


def unpinned_backbones(recipe: Recipe) -> dict[str, str]:
    """Name -> repository of the recipe's backbones that have no source yet."""
    entries = [backbones().get(name) for name in recipe.backbones if name not in recipe.backbone_sources]
    return {backbone.name: backbone.hub for backbone in entries if backbone is not None and backbone.hub}


def unpinned_data(recipe: Recipe) -> dict[str, str]:
    """Repository -> branch, of the recipe's data that neither the catalogue nor the recipe pins."""
    return {
        repository: branch
        for repository, branch in data_repositories(recipe).items()
        if len(branch) != COMMIT_LENGTH and repository not in recipe.data_revisions
    }


def named(argument: str) -> dict[str, str]:
    """Name in a recipe -> repository, of one argument that is no file.

    Raises:
        AdapterxferError: it is no backbone of the catalogue and no repository.
    """
    backbone = backbones().get(argument)
    if backbone is not None and backbone.hub:
        return {argument: backbone.hub}
    if argument.count("/") == 1:
        return {argument.rpartition("/")[2].lower(): argument}
    raise AdapterxferError(
        f"'{argument}': no recipe file, no backbone of the Hub and no repository ORG/NAME",
        fix="`adapterxfer ls backbones` lists names; world backbones ship with the package and need no pin",
    )


def line(pin: RepositoryState) -> str:
    """One entry of `backbone_sources`, commented out where it could not be loaded."""
    known = backbones().get(pin.name)
    repository = "" if known is not None and known.hub == pin.repository else f"hub: {pin.repository}, "
    text = f"  {pin.name}: {{{repository}revision: {pin.commit}}}"
    if pin.loadable:
        return text
    return f"  # {text.strip()}  # lacks {' and '.join(pin.lacks)}"
