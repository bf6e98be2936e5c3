"""The built wheel works outside of any checkout: recipes by name, the world's backbones, the report."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--only", "backbone=world-nano", "--only", "seed=1", "--only", "variant=stack", "--only", "target=world-xnli")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`adapterxfer` of an environment that has the wheel itself, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"adapterxfer/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml")} <= names
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


def test_folders_of_another_harness_give_a_verdict_anywhere(command: list[str], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "unit" / "exchange" / "recorded" / "lm_eval", tmp_path / "out")
    judged = subprocess.run(
        [*command, "significance", "base=out/org__model-one", "tuned=out/org__model-two"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.startswith("tuned minus base: ")
