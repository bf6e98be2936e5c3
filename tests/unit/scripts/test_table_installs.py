"""The table of installations (with `resolve_installs`): what is resolved, run and said; nothing is fetched."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
ROOT = Path(__file__).parents[3]
LOCK = """
[[packages]]
name = "adapterxfer"
version = "0.1.0"
archive = { path = "package.whl" }

[[packages]]
name = "torch"
version = "2.13.0"
wheels = [{ url = "https://example.invalid/torch.whl", size = 3000000 }]

[[packages]]
name = "nvidia-cublas"
version = "1"
wheels = [{ url = "https://example.invalid/a.whl", size = 5000000 },
          { url = "https://example.invalid/b.whl", size = 4000000 }]

[[packages]]
name = "sympy"
version = "1.14"
sdist = { url = "https://example.invalid/sympy.tar.gz", size = 500001 }
"""


@pytest.fixture
def module(script: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    loaded = script("table_installs")
    monkeypatch.setattr(loaded, "build_wheel", lambda folder: tmp_path / "package.whl")
    return loaded


def uv_that_answers(module: ModuleType, monkeypatch: pytest.MonkeyPatch, lock: str = LOCK) -> list[list[str]]:
    """Lets ``uv pip compile`` write this lock; the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append([*command, options.get("input", "")])
        Path(command[command.index("--output-file") + 1]).write_text(lock, encoding="utf-8")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", run)
    return commands


def test_other_pythons_are_resolved_only(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = uv_that_answers(module, monkeypatch)
    assert module.main(["--pythons", "3.99", "--extras", "-", "parity", "--run", "--uv", "uv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| 3.99 | uv | - | resolved, not run | 3 | 8 | 4 |  |  |",
        "| 3.99 | uv | parity | resolved, not run | 3 | 8 | 4 |  |  |",
    ]
    assert all(command[:3] == ["uv", "pip", "compile"] for command in commands), "nothing is fetched or installed"
    assert commands[0][-1].startswith("adapterxfer @ file://")
    assert commands[1][-1].startswith("adapterxfer[parity] @ file://")
    versions = [Path(command[command.index("-c") + 1]).name for command in commands]
    assert versions == ["constraints.txt", "constraints-adapters.txt"]


def test_a_file_without_a_size_is_no_sum(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uv_that_answers(module, monkeypatch, LOCK.replace(", size = 500001", ""))
    assert module.main(["--pythons", "3.99", "--extras", "-", "--uv", "uv"]) == 0
    assert capsys.readouterr().out.strip() == "| 3.99 | uv | - | resolved, not run | 3 |  | 4 |  |  |"


def test_a_failure_is_a_row_and_an_exit_code(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "trying\nERROR: no solution\n")
    monkeypatch.setattr(module.subprocess, "run", lambda command, **_: failed)
    kept = tmp_path / "rows.json"
    assert module.main(["--pythons", "3.99", "--extras", "-", "--uv", "uv", "--rows", str(kept)]) == 1
    (row,) = module.read_rows(kept)
    assert (row.problem, row.packages) == ("ERROR: no solution", None)


@pytest.mark.parametrize(
    ("offered", "how", "left"),
    [
        (" + adapterxfer==0.1.0 (from file:///p)\n + sympy==1.14\n + torch==2.13.0+cpu\n", "run", None),
        (" + sympy==1.14\n + torch==2.13.0\n + nvidia-cublas==1\n", "run without torch", ["sympy==1.14"]),
    ],
)
def test_torch_for_gpus_is_never_fetched(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, offered: str, how: str, left: list[str] | None
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if "venv" in command:
            (Path(command[-1]) / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0, "", offered if "--dry-run" in command else "")

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(module, "use", lambda program, folder, study: (f"study: {study}", ""))
    wheel = tmp_path / "package.whl"
    setting = module.Setting(wheel=wheel, folder=tmp_path, uv="uv", study=True, find_links=())
    row = module.installed_row("3.99", "pip", "-", "python3.99", setting, ())
    assert (row.how, row.used) == (how, f"study: {left is None}")
    asked = commands[-1]
    target = [f"adapterxfer @ {wheel.as_uri()}"] if left is None else ["--no-deps", *left, str(wheel)]
    assert asked[-len(target) :] == target
    assert not (tmp_path / "site").exists()


def test_an_extra_without_pinned_versions_runs_with_the_pinned_torch(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "interpreter", lambda python: "python")
    monkeypatch.setattr(module, "installed_row", lambda *given: given[-1])
    setting = module.Setting(wheel=tmp_path / "package.whl", folder=tmp_path, uv="uv", study=False, find_links=())
    plain, trackio = module.installations(["3.99"], ["-", "trackio"], ["pip"], setting)
    assert plain == ("-c", str(ROOT / "constraints.txt"))
    (line,) = Path(trackio[1]).read_text(encoding="utf-8").splitlines()
    assert line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith("torch==")


def test_an_environment_is_used_from_outside(module: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "adapterxfer"
    program.write_text('#!/bin/sh\n[ "$1" = run ] && echo "done: 16 stages, 0 failed, 9 s"\nexit 0\n', encoding="utf-8")
    program.chmod(0o755)
    assert module.use(program, tmp_path / "a", study=True) == ("16 stages, 0 failed, 9 s", "")
    assert module.use(program, tmp_path / "b", study=False) == ("copied, checked, planned", "")
    program.write_text("#!/bin/sh\necho broken >&2\nexit 2\n", encoding="utf-8")
    assert module.use(program, tmp_path / "c", study=True) == ("", "recipes copy quickstart mine: broken")


def test_the_page_is_made_from_kept_rows(module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PAGE", tmp_path / "installs.md")
    row = module.Row(python="3.11", way="pip", extra="peft", how="run", packages=57, megabytes=1234.4, seconds=61.2)
    (tmp_path / "rows.json").write_text(json.dumps([asdict(row)]), encoding="utf-8")
    assert module.main(["--from", str(tmp_path / "rows.json"), "--write"]) == 0
    assert "| 3.11 | pip | peft | run | 57 | 1,234 |  | 61 |  |\n" in (tmp_path / "installs.md").read_text(
        encoding="utf-8"
    )


def test_the_published_page_has_every_extra(module: ModuleType) -> None:
    text = (ROOT / "docs" / "installs.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = [[cell.strip() for cell in line.split("|")[1:5]] for line in text.splitlines() if line.startswith("| 3.")]
    assert {extra for _, _, extra, how in rows if how == "resolved, not run"} >= {
        "-",
        *project["optional-dependencies"],
    }
    ran = {python for python, _, _, how in rows if how == "run"}
    classifiers = {line.split(" :: ")[-1] for line in project["classifiers"] if "Python :: 3." in line}
    assert classifiers >= ran > set()
    assert "Made by `python scripts/table_installs.py" in text
