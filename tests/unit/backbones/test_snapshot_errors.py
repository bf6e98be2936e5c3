"""A Hub that is not reached is one message with one advice, whatever the version of its library raises."""

from __future__ import annotations

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from adapterxfer.backbones.snapshots import TRANSPORTS, hub_snapshot
from adapterxfer.errors import BackboneError

COMMIT = "0123456789abcdef" * 2 + "01234567"


def raised(monkeypatch: pytest.MonkeyPatch, error: Exception) -> BackboneError:
    """What becomes of an error of the library."""

    def snapshot_download(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(BackboneError) as caught:
        hub_snapshot("org/name", COMMIT, fetch=True)
    return caught.value


@pytest.mark.parametrize("transport", [*TRANSPORTS, None])
def test_a_hub_that_is_not_reached(monkeypatch: pytest.MonkeyPatch, transport: str | None) -> None:
    kind = type("ConnectError", (Exception,), {"__module__": f"{transport}.errors"})
    error = raised(monkeypatch, kind("no route") if transport else LocalEntryNotFoundError("not there"))
    assert str(error).startswith("backbone org/name@0123456789ab: not in the cache, and the Hub was not reached")
    assert error.fix is not None
    assert error.fix.startswith("run again where there is a connection")


def test_another_failure_keeps_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    error = raised(monkeypatch, OSError("no space left"))
    assert str(error).startswith("backbone org/name@0123456789ab: no space left")
    assert error.fix is not None
    assert error.fix.startswith("check repository, commit and access rights")
