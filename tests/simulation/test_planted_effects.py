"""The planted-effect study runs through the command line and recovers what was planted; rates are in the docs."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "planted_effects.py"


def test_planted_values_come_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_file_location("planted_effects", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "planted_effects", script)  # dataclasses look their module up
    spec.loader.exec_module(script)
    arguments = ["--repetitions", "3", "--json", "--markdown", str(tmp_path / "table.md")]
    assert script.main(arguments) == 0
    rows = {row["hypothesis"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(rows) == 11
    for row in rows.values():
        assert row["found"] + row["equivalent"] + row["inconclusive"] == pytest.approx(1.0)
        # three repetitions: within about four standard errors of each mean
        assert row["mean_estimate"] == pytest.approx(row["truth"], abs=6.0 if "slope" in row["hypothesis"] else 3.0)
    assert rows["inferior"]["found"] == 1.0
    assert rows["inferior"]["not_inferior"] == 0.0
    assert rows["gain"]["tests"] == 3
    assert rows["gain-null"]["tests"] == 9
    assert (tmp_path / "table.md").read_text(encoding="utf-8").count("\n") == 13
