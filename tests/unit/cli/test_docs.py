"""`adapterxfer docs`: every page that the package's messages and the README name can be printed anywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import adapterxfer
from adapterxfer.cli.docs import MADE, shipped_pages
from adapterxfer.cli.main import main

PACKAGE = Path(adapterxfer.__file__).parent
ROOT = PACKAGE.parent
NAMED = re.compile(r"(?<![\w/])docs/((?!hub/)(?:[a-z0-9-]+/)*[A-Za-z0-9-]+)\.md")  # docs/hub/ is a folder of the Hub


def test_the_list_names_each_page_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split(maxsplit=1) == ["statistics", "Statistics"] for line in lines)
    assert not any(line.startswith(MADE) for line in lines)
    assert main(["docs", "--json"]) == 0
    pages = json.loads(capsys.readouterr().out)["pages"]
    assert [page["page"] for page in pages] == list(shipped_pages())
    assert all(page["title"] for page in pages)


@pytest.mark.parametrize("name", ["hub", "hub.md", "docs/hub.md", "design/contracts"])
def test_a_page_is_printed_as_it_is_written(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", name]) == 0
    path = ROOT / "docs" / f"{name.removeprefix('docs/').removesuffix('.md')}.md"
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    assert main(["docs", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["statistic", "../README", "/etc/passwd", ""])
def test_an_unknown_page_is_one_message(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"docs: there is no page '{name}'")
    assert ("did you mean 'statistics'?" in said) == (name == "statistic")
    assert "fix: `adapterxfer docs` lists all pages" in said


def test_pages_that_are_named_are_there() -> None:
    files = [ROOT / "README.md", *PACKAGE.rglob("*.py")]
    named = {name: path.name for path in files for name in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert not named.keys() - shipped_pages().keys(), named
