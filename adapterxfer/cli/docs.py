"""List the pages of the documentation that come with the package, or print one."""

from __future__ import annotations

import argparse
from pathlib import Path

import adapterxfer
from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.messages import suggestion

SUFFIX = ".md"

MADE = ("cards/", "case-study/report/")
"""Folders of pages that the tool made, example cards and a report: no part of a wheel."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `docs`."""
    parser.add_argument("page", nargs="?", help="as messages call it: docs/data.md, or just data (default: the list)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the list, or a page as it is written, in Markdown.

    Raises:
        AdapterxferError: there is no such page.
    """
    pages = shipped_pages()
    if arguments.page is None:
        rows = [(name, title_of(path)) for name, path in pages.items()]
        if arguments.json:
            say_json("docs", {"pages": [{"page": name, "title": title} for name, title in rows]})
        else:
            say_table(["page", "title"], rows)
            say("print one: adapterxfer docs recipes")
        return 0
    name = arguments.page.removeprefix("docs/").removesuffix(SUFFIX)
    if name not in pages:
        raise AdapterxferError(
            f"docs: there is no page '{name}'{suggestion(name, pages)}", fix="`adapterxfer docs` lists all pages"
        )
    text = pages[name].read_text(encoding="utf-8")
    if arguments.json:
        say_json("docs", {"page": name, "title": title_of(pages[name]), "text": text})
    else:
        say(text.rstrip("\n"))
    return 0


def shipped_pages() -> dict[str, Path]:
    """Name -> file of every page: package data in a wheel, in a checkout the folder `docs/` beside the package."""
    package = Path(adapterxfer.__file__).parent
    installed = package / "docs"
    folder = installed if installed.is_dir() else package.parent / "docs"
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob(f"*{SUFFIX}")}
    return {name: files[name] for name in sorted(files) if not name.startswith(MADE)}


def title_of(path: Path) -> str:
    """The first heading of a page, without marks."""
    with path.open(encoding="utf-8") as lines:
        heading = next((line for line in lines if line.startswith("# ")), "")
    return heading.removeprefix("# ").strip().replace("`", "")
