"""Fetching an adapter of another tool: caches, broken transfers, a Hub that lies or refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from reuse_tools import SHA, make_adapterhub, publish
from stand_in_hub import StandInHub

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.addresses import HubAddress
from adapterxfer.hub.fetching import fetch_published

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class TestFetching:
    @pytest.fixture(autouse=True)
    def _published(self, hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
        make_adapterhub(encoder, tmp_path / "made")
        text = publish(hub, tmp_path / "made")
        self.place = HubAddress("other/adapter", text.rpartition("@")[2])

    def test_a_warm_cache_asks_nobody(self, hub: StandInHub) -> None:
        first = fetch_published(self.place)
        before = len(hub.requests)
        hub.stop()
        assert fetch_published(self.place) == first
        assert len(hub.requests) == before

    def test_a_damaged_cache_is_fetched_anew(self, hub: StandInHub) -> None:
        first = fetch_published(self.place)
        assert first.weights is not None
        whole = first.weights.read_bytes()
        first.weights.write_bytes(whole[:-4])
        again = fetch_published(self.place)
        assert again.weights is not None
        assert again.weights.read_bytes() == whole

    @pytest.mark.parametrize("kind", ["drop", "truncate", "corrupt"])
    def test_a_broken_download_is_repeated(self, hub: StandInHub, kind: str) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", kind)
        found = fetch_published(self.place)
        assert found.weights is not None
        assert found.weights.read_bytes() == hub.files("other/adapter")["adapter.safetensors"]

    def test_a_hub_that_lies(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", "corrupt", times=99)
        with pytest.raises(BundleError, match="do not match the hash it lists"):
            fetch_published(self.place)
        assert not list((tmp_path / "pulled" / ".adapters").rglob("adapter.safetensors"))

    @pytest.mark.parametrize(
        ("status", "reason"), [(401, "token"), (500, "the Hub failed"), (429, "too many requests")]
    )
    def test_a_hub_that_refuses(self, hub: StandInHub, status: int, reason: str) -> None:
        hub.fail("GET", "/api/models/", status=status, times=99)
        with pytest.raises(HubError, match=reason):
            fetch_published(self.place, sleep=lambda seconds: None)

    def test_a_commit_that_does_not_exist(self, hub: StandInHub) -> None:
        with pytest.raises(HubError, match="no such revision"):
            fetch_published(self.place._replace(revision=SHA))
