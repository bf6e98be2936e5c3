"""Xet, the Hub's newer storage: the real client sends and fetches through it; what fails is one clear message.

Everything else of this folder runs with it switched off, as by HF_HUB_DISABLE_XET=1.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hub_study import Make
from stand_in_hub import StandInHub
from transfers import Waits, pull, push

from adapterxfer.backbones.snapshots import hub_snapshot
from adapterxfer.backbones.xet import RETRY_DELAY, xet_failure
from adapterxfer.errors import BackboneError, HubError
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.pushing import push as push_to
from adapterxfer.hub.requests import hub_api

pytest.importorskip("hf_xet")
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:hf_xet:DeprecationWarning",  # how huggingface_hub 0.36 calls it
)

XORB, SHARD, RECONSTRUCTION, DATA = "/v1/xorbs/", "/v1/shards", "/v2/reconstructions/", "/xorb/"


@pytest.fixture(autouse=True)
def _switched_on(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)


def weights(hub: StandInHub) -> set[str]:
    return {name for name in hub.files("org/name") if name.endswith(".safetensors")}


class TestWithoutFaults:
    def test_there_and_back(self, bundle: Make, hub: StandInHub) -> None:
        folder = bundle("stack")
        push(folder)
        assert hub.count("POST", XORB) == hub.count("POST", SHARD) == 1
        assert hub.count("PUT", "/upload/") == 0, "nothing went by LFS"
        assert len(hub.xet_names) >= len(weights(hub)) > 0
        pulled = pull()
        assert pulled.manifest == inspect_bundle(pulled.folder)
        assert hub.count("GET", RECONSTRUCTION) == len(hub.xet_names)
        assert hub.count("GET", "/resolve/.*safetensors") == 0, "no weights were fetched the other way"
        for name in weights(hub):
            assert (pulled.folder / name).read_bytes() == (folder / name).read_bytes()

    def test_a_push_is_one_commit(self, bundle: Make, hub: StandInHub) -> None:
        push(bundle("stack"))
        hub.commit("org/name", {**hub.files("org/name"), "old/model.safetensors": b"x" * 99})
        pushed = push(bundle("fuse"))
        assert hub.count("POST", "/commit/") == 2
        assert set(hub.files("org/name")) == {*pushed.files, "bundle.json", "README.md", ".gitattributes"}
        assert not push(bundle("fuse")).changed
        assert hub.count("POST", "/commit/") == 2

    def test_another_server_of_the_same_port_knows_nothing(self, bundle: Make, hub: StandInHub) -> None:
        """As the system gives ports again: what hf_xet remembers of the first server is not asked of the second."""
        push(bundle("stack"))
        hub.stop()
        with StandInHub(port=hub.port) as second:
            push(bundle("stack"))
            assert second.count("POST", XORB) == second.count("POST", SHARD) == 1

    def test_a_refused_commit_is_not_cut_into_smaller_ones(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("POST", "/commit/", status=400, times=1)
        with pytest.raises(HubError, match=r"refused \(HTTP 400\)"):
            push(bundle("stack"))
        assert hub.count("POST", "/commit/") == 1
        assert set(hub.files("org/name")) == {".gitattributes"}, "nothing half published"

    def test_switched_off_it_is_not_asked(
        self, bundle: Make, hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(bundle("stack"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        before = hub.count("GET", RECONSTRUCTION)
        inspect_bundle(pull().folder)
        shutil.rmtree(tmp_path / "pulled")
        push(bundle("fuse"))
        inspect_bundle(pull().folder)
        assert hub.count("GET", RECONSTRUCTION) == before
        assert hub.count("GET", "/resolve/.*safetensors") > 0
        assert hub.count("PUT", "/upload/") > 0


class TestFaults:
    @pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "drop"}])
    @pytest.mark.parametrize("path", [XORB, SHARD])
    def test_an_upload_is_tried_again(self, bundle: Make, hub: StandInHub, path: str, fault: dict[str, object]) -> None:
        hub.fail("POST", path, times=2, **fault)  # type: ignore[arg-type]
        waits = Waits()
        assert push_to(bundle("stack"), "org/name", sleep=waits).changed
        assert hub.count("POST", path) == 3
        assert not waits
        inspect_bundle(pull().folder)

    @pytest.mark.parametrize("fault", [{"status": 500}, {"kind": "drop"}, {"kind": "truncate"}, {"kind": "corrupt"}])
    def test_a_download_is_tried_again(self, bundle: Make, hub: StandInHub, fault: dict[str, object]) -> None:
        push(bundle("stack"))
        hub.fail("GET", DATA, times=1, **fault)  # type: ignore[arg-type]
        inspect_bundle(pull().folder)

    @pytest.mark.parametrize(
        ("path", "fault", "reason"),
        [
            (XORB, {"status": 503}, r"the Hub's Xet storage failed \(HTTP 503\)"),
            (XORB, {"kind": "drop"}, r"the Hub's Xet storage cannot be reached \(127\.0\.0\.1:\d+\)"),
            (SHARD, {"status": 400}, r"the Hub's Xet storage failed \(HTTP 400\)"),
        ],
    )
    def test_an_upload_that_fails_for_good(
        self, bundle: Make, hub: StandInHub, path: str, fault: dict[str, object], reason: str
    ) -> None:
        hub.fail("POST", path, times=99, **fault)  # type: ignore[arg-type]
        waits = Waits()
        with pytest.raises(HubError, match=f"push to org/name: {reason}\n") as caught:
            push_to(bundle("stack"), "org/name", sleep=waits)
        assert not waits, "hf_xet has waited itself"
        assert caught.value.fix.endswith("set HF_HUB_DISABLE_XET=1 to go around it")
        assert hub.count("POST", "/commit/") == 0
        hub.faults.clear()
        push(bundle("stack"))
        inspect_bundle(pull().folder)

    @pytest.mark.parametrize(
        ("path", "fault", "reason"),
        [
            (RECONSTRUCTION, {"status": 503}, r"failed \(HTTP 503\)"),
            (RECONSTRUCTION, {"status": 404}, r"lacks a file of it \(HTTP 404\)"),
            (DATA, {"kind": "drop"}, r"cannot be reached \(127\.0\.0\.1:\d+\)"),
            (DATA, {"kind": "truncate"}, r"sent what cannot be used \(error decoding response body\)"),
        ],
    )
    def test_a_download_that_fails_for_good(
        self, bundle: Make, hub: StandInHub, path: str, fault: dict[str, object], reason: str
    ) -> None:
        push(bundle("stack"))
        hub.fail("GET", path, times=99, **fault)  # type: ignore[arg-type]
        with pytest.raises(HubError, match=f"pull org/name: the Hub's Xet storage {reason}\n") as caught:
            pull()
        assert caught.value.fix.endswith("set HF_HUB_DISABLE_XET=1 to go around it")
        hub.faults.clear()
        inspect_bundle(pull().folder)

    @pytest.mark.parametrize(("status", "reason"), [(401, "refused the token"), (403, "refused access")])
    def test_refusals_are_not_repeated(self, bundle: Make, hub: StandInHub, status: int, reason: str) -> None:
        hub.fail("POST", XORB, status=status, times=99)
        with pytest.raises(HubError, match=rf"the Hub's Xet storage {reason} \(HTTP {status}\)") as caught:
            push(bundle("stack"))
        assert caught.value.fix == "use a token with access to this repository"
        assert hub.count("POST", XORB) == 1

    @pytest.mark.parametrize("status", [401, 403])
    def test_no_token_for_the_storage(self, bundle: Make, hub: StandInHub, status: int) -> None:
        hub.fail("GET", "/xet-write-token/", status=status, times=99)
        with pytest.raises(HubError, match=r"token"):
            push(bundle("stack"))
        assert hub.count("POST", XORB) == 0

    def test_a_backbone(self, bundle: Make, hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        commit = push(bundle("stack")).commit  # any repository with weights will do
        files = {name.rpartition("/")[2]: content for name, content in hub.files("org/name").items()}
        commit = hub.commit("org/name", {"config.json": b"{}", "model.safetensors": files["heads.safetensors"]})
        hub.fail("GET", RECONSTRUCTION, status=503, times=99)
        with pytest.raises(BackboneError, match=r"the Hub's Xet storage failed \(HTTP 503\)") as caught:
            hub_snapshot("org/name", commit, fetch=True)
        assert "HF_HUB_DISABLE_XET=1" in caught.value.fix
        hub.faults.clear()
        folder = hub_snapshot("org/name", commit, fetch=True)
        assert folder is not None
        assert (folder / "model.safetensors").read_bytes() == files["heads.safetensors"]


def test_the_users_waits_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = RETRY_DELAY
    monkeypatch.setenv(name, "7s")
    hub_api()
    assert os.environ[name] == "7s"
    monkeypatch.delenv(name)
    hub_api()
    assert os.environ[name] == value


def test_other_errors_are_not_taken_for_it() -> None:
    assert xet_failure(RuntimeError("out of memory")) is None
    assert xet_failure(ConnectionError("Connection refused")) is None
    wrapped = OSError("download failed")
    wrapped.__cause__ = RuntimeError("Task error: CAS Client Error: Format error: BlockTooBig")
    failure = xet_failure(wrapped)
    assert failure is not None
    assert (failure.status, failure.is_refusal) == (None, False)
    assert failure.reason == "the Hub's Xet storage sent what cannot be used (BlockTooBig)"
