"""CONTRIBUTING.md says what is there: every room, every file it names, and how many files each addition takes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from contributing import TEXT, blocks, section

ROOT = Path(__file__).parents[2]
NEW = {
    "adapterxfer/variants/gelu.py", "adapterxfer/catalog/families/letters.py", "adapterxfer/catalog/families/NAME.py",
}  # fmt: skip
"""Files that a reader writes."""

FILES = {
    "Add an adapter method": (
        "Two files",
        ["adapterxfer/variants/gelu.py", "adapterxfer/catalog/methods/bottlenecks.py"],
    ),
    "Add a target task": ("One file", ["adapterxfer/catalog/families/letters.py"]),
    "Add a transfer variant": ("Two files", ["adapterxfer/training/starts.py", "adapterxfer/catalog/variants.py"]),
    "Add a backbone architecture": ("One file", ["adapterxfer/catalog/architectures/bert_family.py"]),
    "Add a metric": ("One file", ["adapterxfer/metrics/registry.py"]),
}


def test_every_room_has_its_sentence() -> None:
    rooms = [path.parent.name for path in sorted((ROOT / "adapterxfer").glob("*/__init__.py"))]
    assert sorted(re.findall(r"^\| `(\w+)` \| \S", section("Where things are"), re.MULTILINE)) == rooms


def test_every_path_exists() -> None:
    paths = set(re.findall(r"\b((?:adapterxfer|tests|docs|scripts)/[\w./-]*\w)", TEXT)) - NEW
    assert len(paths) > 15
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


@pytest.mark.parametrize("title", FILES)
def test_each_addition_takes_the_files_it_says(title: str) -> None:
    said, files = FILES[title]
    assert section(title).lstrip().startswith(said)
    edited = re.findall(r"^\d\. .*?(?:Write|Add|Put).*?`(adapterxfer/[\w/]+\.py)`", section(title), re.MULTILINE)
    assert [file for file in files if f"`{file}`" not in section(title)] == []
    assert set(edited) <= set(files)
    assert len(blocks(title)) >= len(files)


@pytest.mark.parametrize("title", ["Add an adapter method", "Add a target task"])
def test_new_files_pass_lint(title: str) -> None:
    new = blocks(title)[0]
    for command in (["ruff", "check", "-"], ["ruff", "format", "--check", "-"]):
        arguments = [*command, "--stdin-filename", "adapterxfer/variants/new_file.py"]
        done = subprocess.run([sys.executable, "-m", *arguments], input=new, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("title", FILES)
def test_tables_get_whole_entries(title: str) -> None:
    for block in blocks(title):
        compile(block.rstrip().rstrip(",") + "\n", title, "exec")
