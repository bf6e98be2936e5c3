"""`env` tells versions and settings, and neither secrets nor paths."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from adapterxfer.cli.main import main


def test_it_tells_versions_and_no_secret(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HOME", "/home/somebody/cache")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["env", "--json"]) == 0
    text = capsys.readouterr().out
    told = json.loads(text)
    assert told["libraries"]["torch"] == version("torch")
    assert told["libraries"]["safetensors"] == version("safetensors")
    assert "ruff" not in told["libraries"]
    assert {"HF_TOKEN": "set", "HF_HOME": "set", "HF_HUB_OFFLINE": "1"}.items() <= told["variables"].items()
    assert "secret" not in text
    assert "somebody" not in text


def test_people_get_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"torch: {version('torch')}" in lines
    assert any(line.startswith("python: 3.") for line in lines)
