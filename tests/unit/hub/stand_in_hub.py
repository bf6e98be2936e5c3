"""A Hugging Face Hub on localhost for tests: the endpoints that push and pull use, with faults on request.

Speaks the protocol of huggingface_hub 0.36 to 2.4: create, validate-yaml, tree, preupload, LFS batch, upload and
verify, commit (NDJSON), branch, revision, resolve with ETag, X-Repo-Commit and byte ranges; and Xet, as hf_xet asks for
it: tokens, xorbs, shards and reconstructions.
"""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer

from stand_in_cards import card_problems
from stand_in_collections import Collections
from stand_in_reading import Reading
from stand_in_state import HubState
from stand_in_writing import Writing
from stand_in_xet import Xet

__all__ = ["StandInHub", "card_problems"]

NAME = r"([^/]+/[^/]+)"
ROUTES: list[tuple[str, str, str]] = [
    ("POST", "/api/repos/create", "create"),
    ("POST", "/api/collections", "collect"),
    ("GET", f"/api/collections/{NAME}", "collected"),
    ("POST", f"/api/collections/{NAME}/items", "add_item"),
    ("PATCH", f"/api/collections/{NAME}/items/([0-9a-f]+)", "change_item"),
    ("POST", "/api/validate-yaml", "validate"),
    ("GET", "/api/whoami-v2", "whoami"),
    ("GET", f"/api/models/{NAME}", "info"),
    ("GET", f"/api/models/{NAME}/revision/(.+)", "info"),
    ("GET", f"/api/models/{NAME}/refs", "refs"),
    ("GET", f"/api/datasets/{NAME}", "dataset"),
    ("GET", f"/api/datasets/{NAME}/revision/(.+)", "dataset"),
    ("GET", f"/api/models/{NAME}/tree/(.+)", "tree"),
    ("POST", f"/api/models/{NAME}/branch/(.+)", "branch"),
    ("POST", f"/api/models/{NAME}/preupload/(.+)", "preupload"),
    ("POST", f"/api/models/{NAME}/commit/(.+)", "make_commit"),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", "batch"),
    ("PUT", "/upload/([0-9a-f]{64})", "upload"),
    ("POST", "/verify/([0-9a-f]{64})", "verify"),
    ("GET", f"/api/models/{NAME}/xet-(read|write)-token/(.+)", "xet_token"),
    ("GET", r"/cas/\w+/v1/chunks/[^/]+/([0-9a-f]{64})", "known_chunk"),
    ("POST", r"/cas/\w+/v1/xorbs/default/([0-9a-f]{64})", "take_xorb"),
    ("POST", r"/cas/\w+/v1/shards", "take_shard"),
    ("GET", r"/cas/\w+/v2/reconstructions/([0-9a-f]{64})", "reconstruction"),
    ("GET", "/xorb/([0-9a-f]{64})", "give_xorb"),
    ("GET HEAD", f"/datasets/{NAME}/resolve/([^/]+)/(.+)", "resolve_dataset"),
    ("GET HEAD", f"/{NAME}/resolve/([^/]+)/(.+)", "resolve"),
]


class Endpoints(Reading, Writing, Collections, Xet):
    """All endpoints."""

    routes = ROUTES


class StandInHub(HubState):
    """The server; a context manager."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__()
        handler = type("Handler", (Endpoints,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StandInHub:
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away; the port refuses connections from now on."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
