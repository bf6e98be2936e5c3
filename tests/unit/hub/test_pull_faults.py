"""What goes wrong in a pull: a clear message, no half bundle, and a repeated pull completes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hub_study import Make
from stand_in_hub import StandInHub
from transfers import Waits, pull

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.pulling import Pulled
from adapterxfer.hub.pulling import pull as pull_from
from adapterxfer.hub.pushing import push as push_to

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class TestFaultsOfAPull:
    """Each with `bundle("stack")` on the Hub; a repeated pull completes, and half a bundle is never used."""

    @pytest.fixture(autouse=True)
    def _published(self, bundle: Make, hub: StandInHub) -> None:
        self.commit = push_to(bundle("stack"), "org/name").commit

    def nothing_half(self, tmp_path: Path) -> None:
        home = tmp_path / "pulled" / "org--name"
        assert not home.exists() or [p.name for p in home.iterdir() if p.is_dir()] == []

    @pytest.mark.parametrize("kind", ["drop", "truncate"])
    def test_broken_downloads_go_on(self, hub: StandInHub, kind: str) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", kind, times=2)
        inspect_bundle(pull().folder)

    def test_a_download_that_never_ends_well(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*heads.safetensors", "drop", times=999)
        with pytest.raises(HubError, match="cannot be reached"):
            pull()
        self.nothing_half(tmp_path)
        (partial,) = (tmp_path / "pulled" / ".partial").glob("*/")
        finished = {name for name in hub.files("org/name") if (partial / name).is_file()}
        assert {"bundle.json", "README.md"} <= finished
        assert "heads.safetensors" not in finished
        hub.faults.clear()
        before = len(hub.requests)
        folder = pull().folder
        inspect_bundle(folder)
        asked = [path for method, path in hub.requests[before:] if method == "GET" and "/resolve/" in path]
        fetched = {path.split(f"/resolve/{self.commit}/")[1] for path in asked}
        whole = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert fetched == whole - finished, "finished files are kept, the others are fetched"

    @pytest.mark.parametrize(
        ("status", "reason"),
        [(401, "does not accept your token|logged in"), (403, "your token may not"), (404, "no such"),
         (409, "somebody else"), (500, r"the Hub failed \(HTTP 500\)")],
    )  # fmt: skip
    def test_refusals(self, hub: StandInHub, tmp_path: Path, status: int, reason: str) -> None:
        hub.fail("GET", "/api/models/", status=status, times=99)
        with pytest.raises(HubError, match=reason):
            pull()
        self.nothing_half(tmp_path)
        hub.faults.clear()
        inspect_bundle(pull().folder)

    def test_rate_limits_are_waited_for(self, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("GET", "/api/models/", status=429, headers={"Retry-After": "3"}, times=2)
        pull_from(parse_address("org/name"), sleep=waits)
        assert waits == [3.0, 3.0]

    def test_a_wrong_byte_is_noticed(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*heads.safetensors", "corrupt", times=1)
        inspect_bundle(pull().folder)
        shutil.rmtree(tmp_path / "pulled")
        hub.fail("GET", "/resolve/.*heads.safetensors", "corrupt", times=99)
        with pytest.raises(BundleError, match=r"heads\.safetensors as sent by the Hub do not match"):
            pull()
        self.nothing_half(tmp_path)

    def test_a_changed_file_with_an_old_manifest(self, hub: StandInHub, tmp_path: Path) -> None:
        files = dict(hub.files("org/name"))
        files["heads.safetensors"] = files["heads.safetensors"][:-1] + b"\x00"
        hub.commit("org/name", files)
        with pytest.raises(BundleError, match="do not match the manifest"):
            pull()
        self.nothing_half(tmp_path)

    @pytest.mark.parametrize("name", ["pytorch_adapter.bin", "../../evil.json", "run.pickle"])
    def test_dangerous_repositories_are_not_downloaded(self, hub: StandInHub, tmp_path: Path, name: str) -> None:
        hub.commit("org/name", {**hub.files("org/name"), name: b"x"})
        before = hub.count("GET", "/resolve/")
        with pytest.raises(BundleError, match=r"leads out of the bundle|a format that can hold code"):
            pull()
        assert hub.count("GET", "/resolve/") == before
        self.nothing_half(tmp_path)

    def test_a_repository_that_is_no_bundle(self, hub: StandInHub) -> None:
        hub.commit("org/other", {"config.json": b"{}", "model.safetensors": b""})
        with pytest.raises(BundleError, match="not a bundle of adapterxfer"):
            pull("org/other")

    def test_missing_and_private_repositories(self, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(HubError, match="no such repository"):
            pull("org/nothing")
        hub.repositories["org/name"].private = True
        monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 7)
        with pytest.raises(HubError, match=r"log in|logged in|your token"):
            pull()

    def test_a_pinned_bundle_needs_no_server_again(self, hub: StandInHub) -> None:
        first = pull(f"org/name@{self.commit}")
        before = len(hub.requests)
        assert pull(f"org/name@{self.commit}") == Pulled(
            first.folder, "org/name", self.commit, first.manifest, fetched=False, offline=False
        )
        assert len(hub.requests) == before

    def test_the_server_is_gone_while_the_cache_is_warm(self, hub: StandInHub) -> None:
        first = pull()
        hub.server.shutdown()
        hub.server.server_close()
        again = pull()
        assert (again.folder, again.offline, again.fetched) == (first.folder, True, False)
        with pytest.raises(HubError, match=r"the Hub cannot be reached \(127\.0\.0\.1:\d+: Connection refused\)"):
            pull("org/another")

    def test_a_branch_that_moved_is_noticed(self, bundle: Make, hub: StandInHub) -> None:
        first = pull()
        push_to(bundle("fuse"), "org/name")
        second = pull()
        assert second.commit != first.commit
        assert second.manifest.composition.variant == "fuse"
        assert open_bundle(first.folder).manifest.composition.variant == "stack", "the old one stays what it was"

    def test_a_damaged_cache_is_fetched_anew(self, hub: StandInHub) -> None:
        first = pull(f"org/name@{self.commit}")
        path = first.folder / "heads.safetensors"
        path.write_bytes(path.read_bytes()[:-4])
        again = pull(f"org/name@{self.commit}")
        assert again.fetched
        inspect_bundle(again.folder)
