"""The wheel that the sdist builds works outside of any checkout: recipes, pages, the world's backbones, the report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--only", "backbone=world-nano", "--only", "seed=1", "--only", "variant=stack", "--only", "target=world-xnli")


def hatchling(folder: Path, target: str, source: Path) -> None:
    """Build from a folder of sources, with the tools that were installed beside."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(folder / "tools")}
    subprocess.run(words, cwd=source, env=environment, capture_output=True, check=True)


def sdist(folder: Path) -> Path:
    """The sdist of this checkout, unpacked; it has what a reader without the repository asks for."""
    hatchling(folder, "sdist", ROOT)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    for name in (
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE",
        "constraints.txt",
        "docs/installs.md",
        "scripts/test",
    ):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()
    described = (unpacked / "PKG-INFO").read_text(encoding="utf-8").partition("\n\n")[2]
    assert described.startswith("# adapterxfer\n")
    assert not re.findall(r"\]\((?!https?:)", described)
    return unpacked


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`adapterxfer` of an environment that has the wheel itself, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    subprocess.run([*pip, "install", "-q", "--target", str(folder / "tools"), *build["requires"]], check=True)
    unpacked = sdist(folder)
    hatchling(folder, "wheel", unpacked)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"adapterxfer/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml")} <= names
    assert {f"adapterxfer/docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= names
    assert not [
        name
        for name in names
        if name.startswith(("adapterxfer/docs/cards", "adapterxfer/docs/case-study/items", "tests", "scripts"))
    ]
    start = f"import sys; sys.path.insert(0, {str(folder / 'site')!r}); from adapterxfer.cli.main import entry; entry()"
    return [sys.executable, "-P", "-c", start]


def test_a_shipped_recipe_runs_anywhere(command: list[str], tmp_path: Path) -> None:
    shown = subprocess.run([*command, "recipes", "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "quickstart" in shown.stdout
    done = subprocess.run(
        [*command, "run", "quickstart", *SMALL, "--jobs", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stdout
    (page,) = tmp_path.glob("store/report/*/report.html")
    assert "synthetic" in page.read_text(encoding="utf-8").lower()


def test_a_copied_recipe_runs_anywhere(command: list[str], tmp_path: Path) -> None:
    copied = subprocess.run(
        [*command, "recipes", "copy", "phang2020", "mine"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "next: adapterxfer check mine/phang2020.yaml" in copied.stdout
    checked = subprocess.run(
        [*command, "check", "mine/phang2020.yaml", "--set", "world=true"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_pages_and_facts_are_told_anywhere(command: list[str], tmp_path: Path) -> None:
    for words, told in (
        (["docs"], "statistics"),
        (["docs", "docs/hub.md"], "# Sharing adapters"),
        (["env"], "torch: "),
    ):
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert told in done.stdout


def test_folders_of_another_harness_give_a_verdict_anywhere(command: list[str], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "unit" / "exchange" / "recorded" / "lm_eval", tmp_path / "out")
    judged = subprocess.run(
        [*command, "significance", "base=out/org__model-one", "tuned=out/org__model-two"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.startswith("tuned minus base: ")
