"""docs/benchmarks.csv holds every published figure, with a command that exists."""

from __future__ import annotations

import datetime as dt
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("list_benchmarks", ROOT / "scripts" / "list_benchmarks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_pages_and_list_agree(script: ModuleType) -> None:
    assert script.main([]) == 0, "python scripts/list_benchmarks.py says what differs"


def test_every_figure_has_a_source(script: ModuleType) -> None:
    for figure in script.read():
        assert re.fullmatch(r"[0-9a-f]{7,40}", figure.commit), figure
        assert dt.date.fromisoformat(figure.date), figure
        assert figure.machine, figure
        assert figure.command, figure


def test_commands_name_scripts_and_recipes_that_exist(script: ModuleType) -> None:
    for command in {figure.command for figure in script.read()}:
        if match := re.match(r"adapterxfer run (\S+)", command):
            assert match[1] == "RECIPE" or (ROOT / match[1]).is_file(), command
        else:
            match = re.search(r"(?:^|\s)(scripts/\S+)", command)
            assert match, command
            assert (ROOT / match[1]).is_file(), command


def test_what_is_read_from_a_table(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Speed\n\n| | step: a / b | ratio | kept | goal |\n|---|---|---:|---|---|\n"
        "| full | 0.26 / 1,068 s | 2.63x (2.5, 2.7) | | 2x |\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(script, "ROOT", tmp_path)
    rows = [figure[2:6] for figure in script.tables("page.md")]
    assert rows == [
        ("full", "step: a", "0.26", "s"),
        ("full", "step: b", "1,068", "s"),
        ("full", "step: ratio", "2.63", "x"),
        ("full", "step: ratio: turn 1", "2.5", "x"),
        ("full", "step: ratio: turn 2", "2.7", "x"),
    ]


def test_a_changed_figure_is_noticed(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = script.read()
    changed = [kept[0]._replace(value="1.0"), *kept[1:]]
    assert len(script.differences(changed)) == 2
    assert script.updated(changed, commit="abc1234", date="2026-01-01", machine="m", command="c")[0].commit == "abc1234"
    quoted = next(figure for figure in kept if figure.column == script.TEXT)
    assert script.differences([*kept, quoted._replace(row="nobody says this 7")])
    monkeypatch.setattr(script, "LIST", tmp_path / "list.csv")
    script.write(kept)
    assert script.read() == kept
