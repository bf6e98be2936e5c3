"""Own methods say what the libraries say with the same weights: the script that compares costs, at a tiny shape."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("peft")
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

import benchmark_methods


def test_every_method_agrees_with_its_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--shape", "64x2", "--turns", "1", "--steps", "1", "--batch", "2", "--length", "8", "--json"]
    assert benchmark_methods.main(options) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = [
        case
        for case in benchmark_methods.CASES
        if case.library == "peft" or "adapters" in sys.modules or find_spec("adapters")
    ]
    assert [row["method"] for row in rows] == [case.method for case in expected]
    for row, case in zip(rows, expected, strict=True):
        assert row["difference"] <= benchmark_methods.TOLERANCE
        assert row["loss_difference"] <= benchmark_methods.TOLERANCE
        assert row["effect"] > benchmark_methods.MATTERS
        assert ("step_engine_s" in row) == bool(case.named)
        assert min(value for name, value in row.items() if name.endswith("_s")) > 0
