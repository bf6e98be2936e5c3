"""What goes wrong in a push: a clear message, nothing half published, and a repeated push completes."""

from __future__ import annotations

import pytest
from hub_study import Make
from stand_in_hub import StandInHub
from transfers import Waits, pull, push

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.pushing import push as push_to

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class TestFaultsOfAPush:
    def test_a_dropped_upload_is_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("PUT", "/upload/", "drop", times=2)
        assert push_to(bundle("stack"), "org/name", sleep=Waits()).changed
        assert pull().manifest.composition.variant == "stack"

    def test_a_push_that_died_is_completed_by_the_next(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("POST", "/commit/", "drop", times=99)
        with pytest.raises(HubError, match="cannot be reached") as caught:
            push(bundle("stack"))
        assert "run the same command again" in caught.value.fix
        with pytest.raises(BundleError, match=r"no bundle\.json"):
            pull()
        hub.faults.clear()
        uploads = hub.count("PUT", "/upload/")
        assert uploads > 0
        push(bundle("stack"))
        assert hub.count("PUT", "/upload/") == uploads, "what was uploaded is not sent again"
        assert pull().manifest.composition.variant == "stack"

    def test_a_commit_whose_answer_is_lost(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("POST", "/commit/", "lost")
        pushed = push_to(bundle("stack"), "org/name", sleep=Waits())
        assert pushed.changed
        assert pushed.commit == hub.repositories["org/name"].branches["main"]

    @pytest.mark.parametrize(
        ("status", "path", "reason"),
        [
            (401, "/api/repos/create", "does not accept your token"),
            (403, "/preupload/", "your token may not do this"),
            (409, "/commit/", "somebody else changed the repository"),
            (412, "/commit/", "somebody else changed the repository"),
        ],
    )
    def test_refusals_are_not_repeated(
        self, bundle: Make, hub: StandInHub, status: int, path: str, reason: str
    ) -> None:
        hub.fail("POST", path, status=status, times=99)
        with pytest.raises(HubError, match=reason):
            push(bundle("stack"))
        assert hub.count("POST", path) == 1
        hub.faults.clear()
        push(bundle("stack"))

    def test_a_wrong_token(self, bundle: Make, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 7)
        with pytest.raises(HubError, match="does not accept your token"):
            push(bundle("stack"))

    def test_rate_limits_are_waited_for(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("POST", "/commit/", status=429, headers={"Retry-After": "7"}, times=2)
        push_to(bundle("stack"), "org/name", sleep=waits)
        assert waits == [7.0, 7.0]
        hub.fail("POST", "/api/repos/create", status=429, headers={"Retry-After": "3600"}, times=9)
        with pytest.raises(HubError, match="the Hub asks to wait 3600 s"):
            push_to(bundle("stack"), "org/name", sleep=waits)
        assert waits == [7.0, 7.0], "an hour is not waited for"

    def test_an_upload_with_a_wrong_hash_is_refused_and_the_next_push_completes(
        self, bundle: Make, hub: StandInHub
    ) -> None:
        hub.fail("PUT", "/upload/", "corrupt", times=99)
        with pytest.raises(HubError, match=r"refused \(HTTP 400\)"):
            push(bundle("stack"))
        assert hub.count("POST", "/commit/") == 0
        with pytest.raises(BundleError, match=r"no bundle\.json"):
            pull()
        hub.faults.clear()
        push(bundle("stack"))
        inspect_bundle(pull().folder)

    def test_a_server_error_in_an_upload_is_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("PUT", "/upload/", status=501, times=2)
        assert push_to(bundle("stack"), "org/name", sleep=waits).changed
        assert waits
        inspect_bundle(pull().folder)

    def test_server_errors_are_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("POST", "/preupload/", status=500, times=2)
        push_to(bundle("stack"), "org/name", sleep=waits)
        assert hub.count("POST", "/preupload/") >= 3
        assert waits in ([1.0, 2.0], []), "newer clients try again themselves"
        waits.clear()
        hub.fail("POST", "/preupload/", status=500, times=99)
        with pytest.raises(HubError, match=r"the Hub failed \(HTTP 500\)"):
            push_to(bundle("fuse"), "org/name", sleep=waits)
        assert waits == [1.0, 2.0, 4.0]

    def test_somebody_else_pushes_meanwhile(self, bundle: Make, hub: StandInHub) -> None:
        push(bundle("stack"))
        original = hub.fault_for

        def interfere(method: str, path: str) -> object:
            if method == "POST" and "/preupload/" in path:
                hub.commit("org/name", {**hub.files("org/name"), "theirs.json": b"{}"})
            return original(method, path)

        hub.fault_for = interfere  # type: ignore[method-assign, assignment]
        with pytest.raises(HubError, match="somebody else changed the repository"):
            push(bundle("fuse"))
        assert "theirs.json" in hub.files("org/name")
