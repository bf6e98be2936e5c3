"""The table of installations: what is resolved, what is run, and what a failure says. Nothing is fetched here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]


@pytest.fixture
def module(script: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    loaded = script("table_installs")
    monkeypatch.setattr(loaded, "build_wheel", lambda folder: tmp_path / "package.whl")
    return loaded


def test_other_pythons_are_resolved_only(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "torch.whl"
    file.write_bytes(b"x" * 3_000_000)
    install = [{"metadata": {"name": "torch"}, "download_info": {"url": file.as_uri()}}]
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps({"install": install}), "")

    monkeypatch.setattr(module.subprocess, "run", run)
    assert module.main(["--pythons", "3.99", "--extras", "", "ray", "--run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| 3.99 | pip | - | resolved, not run | 1 | 3 |  |  |",
        "| 3.99 | pip | ray | resolved, not run | 1 | 3 |  |  |",
    ]
    assert all("--dry-run" in command for command in commands)
    assert commands[1][-1].endswith("package.whl[ray]")


def test_a_failure_is_a_row_and_an_exit_code(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "trying\nERROR: no matching distribution\n")
    monkeypatch.setattr(module.subprocess, "run", lambda command, **_: failed)
    assert module.main(["--pythons", "3.99", "--extras", "", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["problem"] == "ERROR: no matching distribution"
    assert row["packages"] is None


def test_an_environment_is_used_from_outside(module: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "adapterxfer"
    program.write_text('#!/bin/sh\n[ "$1" = run ] && echo "done: 16 stages, 0 failed, 9 s"\nexit 0\n', encoding="utf-8")
    program.chmod(0o755)
    assert module.used(program, tmp_path / "a", study=True) == ("16 stages, 0 failed, 9 s", "")
    assert module.used(program, tmp_path / "b", study=False) == (None, "")
    program.write_text("#!/bin/sh\necho broken >&2\nexit 2\n", encoding="utf-8")
    assert module.used(program, tmp_path / "c", study=True) == (None, "recipes copy quickstart: broken")
