"""Ask the Hub for the commits of backbones, and print the lines that pin them in a recipe."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.catalog import backbones
from adapterxfer.cli.console import complain, say, say_json
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe import load_recipe

if TYPE_CHECKING:
    from adapterxfer.hub.pinning import Pin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `pin`."""
    parser.add_argument(
        "what", nargs="+", metavar="RECIPE|BACKBONE",
        help="recipe file (all its backbones that need a source), or names such as xlm-r-base or ORG/NAME",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="BRANCH", help="branch or tag to look at (default: main)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print a block `backbone_sources`; exit code 1 where a backbone cannot be loaded from its commit."""
    from adapterxfer.hub.pinning import find_pin

    wanted = [entry for what in arguments.what for entry in repositories(what)]
    pins = [find_pin(name, repository, arguments.revision) for name, repository in dict(wanted).items()]
    if arguments.json:
        say_json([asdict(pin) | {"loadable": pin.loadable} for pin in pins])
    elif not pins:
        say("nothing to pin: every backbone of the recipe has a source, or ships with the package")
    else:
        say("backbone_sources:")
        for pin in pins:
            say(line(pin))
            for title, commit in pin.proposals:
                say(f"  #   {title} adds safetensors: revision {commit}; anybody can open one, so look who did")
    if unusable := [pin for pin in pins if not pin.loadable]:
        names = ", ".join(pin.name for pin in unusable)
        complain(
            f"{names}: cannot be loaded from the main branch as it is\n"
            "  fix: pin a commit that has safetensors, or save the backbone with save_pretrained and name its folder"
        )
        return 1
    return 0


def repositories(what: str) -> list[tuple[str, str]]:
    """(Name in the recipe, repository) of everything one argument names.

    Raises:
        AdapterxferError: it is no recipe file, no backbone of the catalogue and no repository.
    """
    known = backbones()
    if Path(what).is_file() or what.endswith((".yaml", ".yml")):
        recipe = load_recipe(what)
        entries = [known.get(name) for name in recipe.backbones if name not in recipe.backbone_sources]
        return [(entry.name, entry.hub) for entry in entries if entry is not None and entry.hub]
    entry = known.get(what)
    if entry is not None and entry.hub:
        return [(what, entry.hub)]
    if what.count("/") == 1:
        return [(what.rpartition("/")[2].lower(), what)]
    raise AdapterxferError(
        f"'{what}': no recipe file, no backbone of the Hub and no repository ORG/NAME",
        fix="`adapterxfer ls backbones` lists names; world backbones ship with the package and need no pin",
    )


def line(pin: Pin) -> str:
    """One entry of `backbone_sources`, commented out where it could not be loaded."""
    known = backbones().get(pin.name)
    place = "" if known is not None and known.hub == pin.repository else f"hub: {pin.repository}, "
    entry = f"  {pin.name}: {{{place}revision: {pin.commit}}}"
    if pin.loadable:
        return entry
    return f"  # {entry.strip()}  # lacks {' and '.join(pin.lacks)}"
