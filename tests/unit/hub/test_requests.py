"""Which failures of the Hub's client are tried again, under every transport that its versions use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import _http
from stand_in_hub import StandInHub
from transfers import Waits

from adapterxfer.backbones.snapshots import TRANSPORTS
from adapterxfer.errors import HubError
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.pulling import pull
from adapterxfer.hub.requests import call


def raiser(error: Exception) -> object:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_broken_connection_is_tried_again(transport: str) -> None:
    broken = type("ConnectError", (Exception,), {"__module__": f"{transport}._exceptions"})
    waits = Waits()
    with pytest.raises(HubError, match=r"pull from org/name: the Hub cannot be reached \(.*: no route\)"):
        call("pull from", "org/name", raiser(broken("no route")), sleep=waits)  # type: ignore[arg-type]
    assert waits == [1.0, 2.0, 4.0]


def test_offline_is_no_broken_connection() -> None:
    waits = Waits()
    error = OSError("wrapped")
    error.__cause__ = OfflineModeIsEnabled("Cannot reach the Hub: offline mode is enabled")
    for offline in (error, error.__cause__):
        with pytest.raises(HubError, match="the Hub is not asked, because HF_HUB_OFFLINE is set") as caught:
            call("pull from", "org/name", raiser(offline), sleep=waits)  # type: ignore[arg-type]
        assert "unset HF_HUB_OFFLINE" in str(caught.value)
    assert waits == []


@pytest.fixture
def _own_sessions() -> Iterator[None]:
    """A session keeps whether it was offline when it was made."""
    forget = getattr(_http, "close_session", None) or _http.reset_sessions
    forget()
    yield
    forget()


@pytest.mark.usefixtures("_own_sessions")
def test_a_pull_without_the_hub_answers_at_once(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    waits = Waits()
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        pull(parse_address("org/name"), sleep=waits)
    assert (waits, hub.requests) == ([], [])
