"""What a report of a fault says of the installation."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from adapterxfer.api import environment as module


def test_a_checkout_that_is_not_installed_names_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "requires", absent)
    alone = module.environment()["libraries"]
    assert {"torch", "transformers", "scipy", "peft"} <= set(alone)
    assert "pytest" not in alone
    assert alone["torch"] == version("torch")
