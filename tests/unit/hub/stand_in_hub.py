"""A Hugging Face Hub on localhost for tests: the endpoints that push and pull use, with faults on request.

Speaks the protocol that huggingface_hub 0.36 speaks: create, validate-yaml, tree, preupload, LFS batch, upload and
verify, commit (NDJSON), branch, revision, resolve with ETag, X-Repo-Commit and byte ranges.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS_FROM_BYTES = 20_000
"""Files of at least this size, and all safetensors, go through LFS."""

TREE_PAGE = 5
"""Entries in one page of a listing; few, so that every bundle takes several pages."""


@dataclass
class Repository:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str | None:
        return self.branches.get(revision) or (revision if revision in self.commits else None)


@dataclass
class Fault:
    """What goes wrong with the next requests that match.

    Attributes:
        kind: ``status``, ``drop`` (the connection breaks), ``truncate`` (half a body), ``corrupt``
            (one bit differs), ``lost`` (the request is carried out, its answer never arrives).
    """

    method: str
    path: str
    kind: str
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)


class StandInHub:
    token = "hf_" + "standin" * 5

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
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

    def fail(self, method: str, path: str, kind: str = "status", **details: Any) -> None:
        """Let the next requests whose path matches a pattern fail."""
        self.faults.append(Fault(method, path, kind, **details))

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests.append((method, path))
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str, path: str) -> int:
        return sum(1 for m, p in self.requests if m == method and re.search(path, p))

    def files(self, repository: str, revision: str = "main") -> dict[str, bytes]:
        found = self.repositories[repository]
        commit = found.resolve(revision)
        assert commit is not None
        return found.commits[commit]

    def commit(self, repository: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Put files into a repository past the protocol, as an attacker with write access would."""
        with self.lock:
            found = self.repositories.setdefault(repository, Repository())
            previous = found.branches.get(branch, "")
            text = json.dumps([previous, sorted((n, hashlib.sha256(b).hexdigest()) for n, b in files.items())])
            oid = hashlib.sha1(text.encode()).hexdigest()
            found.commits[oid] = dict(files)
            found.branches[branch] = oid
        return oid


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_lfs(name: str, size: int) -> bool:
    return size > 0 and (size >= LFS_FROM_BYTES or name.endswith(".safetensors"))


def _handler(hub: StandInHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.route("GET")

        def do_HEAD(self) -> None:
            self.route("HEAD")

        def do_POST(self) -> None:
            self.route("POST")

        def do_PATCH(self) -> None:
            self.route("PATCH")

        def do_PUT(self) -> None:
            self.route("PUT")

        def route(self, method: str) -> None:
            path = unquote(urlsplit(self.path).path)
            fault = hub.fault_for(method, path)
            self.body = b""
            if fault is not None and fault.kind == "drop":
                self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 512))
                self.break_line()
                return
            self.body = self.read_body()
            self.fault = fault
            if fault is not None and fault.kind == "status":
                self.answer(fault.status, {"error": "made to fail"}, **fault.headers)
                return
            for verb, pattern, action in routes:
                match = re.fullmatch(pattern, path)
                if match and method in verb.split():
                    action(self, *match.groups())
                    return
            self.answer(404, {"error": f"stand-in has no {method} {path}"})

        def break_line(self) -> None:
            """Reset instead of a polite end."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def read_body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip() or b"0", 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def answer(self, status: int, content: Any = None, **headers: str) -> None:
            if self.fault is not None and self.fault.kind == "lost":
                self.break_line()
                return
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", "application/json")
            self.finish_headers(len(body))
            if self.command != "HEAD":
                self.wfile.write(body)

        def finish_headers(self, length: int) -> None:
            self.send_header("Content-Length", str(length))
            # No connection stays open, so a server that has stopped is gone for good.
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()

        def authorised(self) -> bool:
            return self.headers.get("Authorization") == f"Bearer {hub.token}"

        def writer(self) -> bool:
            if not self.authorised():
                self.answer(401, {"error": "Invalid credentials"})
            return self.authorised()

        def repository(self, name: str) -> Repository | None:
            found = hub.repositories.get(name)
            if found is None or (found.private and not self.authorised()):
                self.answer(
                    404 if self.authorised() else 401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound"
                )
                return None
            return found

        def at(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
            found = self.repository(name)
            if found is None:
                return None
            commit = found.resolve(revision)
            if commit is None:
                self.answer(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
                return None
            return commit, found.commits[commit]

        def create(self) -> None:
            if not self.writer():
                return
            content = json.loads(self.body)
            name = f"{content['organization']}/{content['name']}" if content.get("organization") else content["name"]
            if name in hub.repositories:
                self.answer(409, {"error": "You already created this model repo", "url": f"{hub.url}/{name}"})
                return
            hub.commit(name, {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
            hub.repositories[name].private = bool(content.get("private"))
            self.answer(200, {"url": f"{hub.url}/{name}", "name": name, "id": "0" * 24})

        def collect(self) -> None:
            if not self.writer():
                return
            content = json.loads(self.body)
            if len(content["title"]) > 60 or len(content.get("description", "")) > 150:
                self.answer(400, {"error": "title or description is too long"})
                return
            words = re.sub(r"[^a-z0-9]+", "-", content["title"].lower()).strip("-")
            slug = f"{content['namespace']}/{words}-{hashlib.sha1(content['title'].encode()).hexdigest()[:24]}"
            if slug in hub.collections:
                self.answer(409, {"error": "This collection already exists", "slug": slug})
                return
            owner = {"name": content["namespace"], "type": "org"}
            hub.collections[slug] = {
                "slug": slug, "title": content["title"], "owner": owner, "items": [], "position": 0, "theme": "green",
                "lastUpdated": "2026-01-01T00:00:00.000Z", "private": content["private"], "upvotes": 0,
                "description": content.get("description"), "gating": False,
            }  # fmt: skip
            self.answer(200, hub.collections[slug])

        def collected(self, slug: str) -> None:
            found = hub.collections.get(slug)
            self.answer(404 if found is None else 200, found or {"error": "no such collection"})

        def add_item(self, slug: str) -> None:
            if not self.writer():
                return
            content, items = json.loads(self.body), hub.collections[slug]["items"]
            name = content["item"]["id"]
            if name not in hub.repositories:
                self.answer(404, {"error": f"no repository {name}"})
                return
            if any(item["id"] == name for item in items):
                self.answer(409, {"error": "already in the collection"})
                return
            note = {"text": content["note"], "html": content["note"]} if "note" in content else None
            items.append(
                {"_id": f"{len(items):024x}", "id": name, "type": "model", "position": len(items), "note": note}
            )
            self.answer(200, hub.collections[slug])

        def change_item(self, slug: str, item_id: str) -> None:
            if not self.writer():
                return
            for item in hub.collections[slug]["items"]:
                if item["_id"] == item_id:
                    text = json.loads(self.body)["note"]
                    item["note"] = {"text": text, "html": text}
            self.answer(200, {"success": True})

        def whoami(self) -> None:
            if self.writer():
                self.answer(200, {"name": "tester", "type": "user", "orgs": [{"name": "org"}]})

        def validate(self) -> None:
            if "json" in (self.headers.get("Content-Type") or ""):
                content = json.loads(self.body)["content"]
            else:
                content = parse_qs(self.body.decode())["content"][0]
            problems = card_problems(content)
            self.answer(400 if problems else 200, {"errors": [{"message": p} for p in problems], "warnings": []})

        def info(self, name: str, revision: str = "main") -> None:
            found = self.at(name, revision)
            if found is None:
                return
            commit, files = found
            siblings: list[dict[str, Any]] = [{"rfilename": path} for path in files]
            if "blobs" in parse_qs(urlsplit(self.path).query):
                for entry in siblings:
                    content = files[entry["rfilename"]]
                    entry |= {"size": len(content), "blobId": git_oid(content)}
                    if is_lfs(entry["rfilename"], len(content)):
                        digest = hashlib.sha256(content).hexdigest()
                        entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            private = hub.repositories[name].private
            self.answer(
                200,
                {"id": name, "modelId": name, "_id": "0", "sha": commit, "private": private, "siblings": siblings,
                 "tags": [], "downloads": 0, "likes": 0, "gated": False, "disabled": False},
            )  # fmt: skip

        def dataset(self, name: str, revision: str = "main") -> None:
            self.info(f"datasets/{name}", revision)

        def refs(self, name: str) -> None:
            found = self.repository(name)
            if found is None:
                return
            groups: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
            for branch, commit in found.branches.items():
                group = "pullRequests" if branch.startswith("refs/pr/") else "branches"
                ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
                groups[group].append({"name": branch, "ref": ref, "targetCommit": commit})
            self.answer(200, groups)

        def tree(self, name: str, revision: str) -> None:
            """Every file, as with ``recursive``; in pages that a client must follow."""
            found = self.at(name, revision)
            if found is None:
                return
            entries = []
            for path, content in sorted(found[1].items()):
                entry: dict[str, Any] = {"type": "file", "oid": git_oid(content), "size": len(content), "path": path}
                if is_lfs(path, len(content)):
                    digest = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
                entries.append(entry)
            start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
            end = start + TREE_PAGE
            here = f"{hub.url}{urlsplit(self.path).path}"
            more = {"Link": f'<{here}?recursive=True&cursor={end}>; rel="next"'} if end < len(entries) else {}
            self.answer(200, entries[start:end], **more)

        def branch(self, name: str, branch: str) -> None:
            if not self.writer():
                return
            found = hub.repositories[name]
            if branch in found.branches:
                self.answer(409, {"error": "Reference already exists"})
                return
            found.branches[branch] = found.branches["main"]
            self.answer(200, {})

        def preupload(self, name: str, revision: str) -> None:
            if not self.writer():
                return
            found = self.at(name, revision)
            if found is None:
                return
            answers = []
            for entry in json.loads(self.body)["files"]:
                lfs = is_lfs(entry["path"], entry["size"])
                old = found[1].get(entry["path"])
                known = None
                if old is not None:
                    known = hashlib.sha256(old).hexdigest() if is_lfs(entry["path"], len(old)) else git_oid(old)
                mode = "lfs" if lfs else "regular"
                answers.append({"path": entry["path"], "uploadMode": mode, "shouldIgnore": False, "oid": known})
            self.answer(200, {"files": answers})

        def batch(self, name: str) -> None:
            if not self.writer():
                return
            objects = []
            for entry in json.loads(self.body)["objects"]:
                made: dict[str, Any] = {"oid": entry["oid"], "size": entry["size"]}
                if entry["oid"] not in hub.blobs:
                    made["actions"] = {
                        "upload": {"href": f"{hub.url}/upload/{entry['oid']}", "header": {}},
                        "verify": {"href": f"{hub.url}/verify/{entry['oid']}", "header": {}},
                    }
                objects.append(made)
            self.answer(200, {"transfer": "basic", "objects": objects})

        def upload(self, oid: str) -> None:
            if self.fault is not None and self.fault.kind == "corrupt":
                self.body = self.body[:-1] + bytes([self.body[-1] ^ 1])
            if hashlib.sha256(self.body).hexdigest() != oid:
                self.answer(400, {"error": "content does not match its sha256"})
                return
            hub.blobs[oid] = self.body
            self.answer(200)

        def verify(self, oid: str) -> None:
            size = json.loads(self.body)["size"]
            known = oid in hub.blobs and len(hub.blobs[oid]) == size
            self.answer(200 if known else 404, {})

        def make_commit(self, name: str, revision: str) -> None:
            if not self.writer():
                return
            found = self.at(name, revision)
            if found is None:
                return
            parent, files = found[0], dict(found[1])
            for line in self.body.splitlines():
                entry = json.loads(line)
                value = entry["value"]
                match entry["key"]:
                    case "header":
                        if value.get("parentCommit") not in (None, parent):
                            self.answer(412, {"error": "A commit has happened since. Please refresh and try again."})
                            return
                    case "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    case "lfsFile":
                        if value["oid"] not in hub.blobs:
                            self.answer(400, {"error": f"no LFS object {value['oid']}"})
                            return
                        files[value["path"]] = hub.blobs[value["oid"]]
                    case "deletedFile":
                        del files[value["path"]]
            oid = hub.commit(name, files, revision)
            self.answer(
                200,
                {"success": True, "commitOid": oid, "commitUrl": f"{hub.url}/{name}/commit/{oid}", "hookOutput": ""},
            )

        def resolve(self, name: str, revision: str, path: str) -> None:
            found = self.at(name, revision)
            if found is None:
                return
            commit, files = found
            if path not in files:
                self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
                return
            content = files[path]
            digest = hashlib.sha256(content).hexdigest() if is_lfs(path, len(content)) else git_oid(content)
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
            if is_lfs(path, len(content)):
                headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            self.send_content(content, headers)

        def send_content(self, content: bytes, headers: dict[str, str]) -> None:
            status, fault = 200, self.fault
            if fault is not None and fault.kind == "corrupt":
                content = content[:-1] + bytes([content[-1] ^ 1])
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            if asked:
                headers["Content-Range"] = f"bytes {asked[1]}-{len(content) - 1}/{len(content)}"
                status, content = 206, content[int(asked[1]) :]
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.finish_headers(len(content))
            if self.command == "HEAD":
                return
            if fault is not None and fault.kind == "truncate":
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.wfile.write(content)

    name = r"([^/]+/[^/]+)"
    routes: list[tuple[str, str, Callable[..., None]]] = [
        ("POST", "/api/repos/create", Handler.create),
        ("POST", "/api/collections", Handler.collect),
        ("GET", f"/api/collections/{name}", Handler.collected),
        ("POST", f"/api/collections/{name}/items", Handler.add_item),
        ("PATCH", f"/api/collections/{name}/items/([0-9a-f]+)", Handler.change_item),
        ("POST", "/api/validate-yaml", Handler.validate),
        ("GET", "/api/whoami-v2", Handler.whoami),
        ("GET", f"/api/models/{name}", Handler.info),
        ("GET", f"/api/models/{name}/revision/(.+)", Handler.info),
        ("GET", f"/api/models/{name}/refs", Handler.refs),
        ("GET", f"/api/datasets/{name}", Handler.dataset),
        ("GET", f"/api/datasets/{name}/revision/(.+)", Handler.dataset),
        ("GET", f"/api/models/{name}/tree/(.+)", Handler.tree),
        ("POST", f"/api/models/{name}/branch/(.+)", Handler.branch),
        ("POST", f"/api/models/{name}/preupload/(.+)", Handler.preupload),
        ("POST", f"/api/models/{name}/commit/(.+)", Handler.make_commit),
        ("POST", rf"/{name}\.git/info/lfs/objects/batch", Handler.batch),
        ("PUT", "/upload/([0-9a-f]{64})", Handler.upload),
        ("POST", "/verify/([0-9a-f]{64})", Handler.verify),
        ("GET HEAD", f"/{name}/resolve/([^/]+)/(.+)", Handler.resolve),
    ]
    return Handler


LICENSES = {"apache-2.0", "mit", "other", "cc-by-4.0", "cc-by-2.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}


def card_problems(content: str) -> list[str]:
    """What the Hub documents about card metadata, as far as our cards use it."""
    import yaml

    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if match is None:
        return ["no metadata block"]
    data = yaml.safe_load(match[1])
    problems = []
    if data.get("license") not in LICENSES:
        problems.append('"license" must be one of the known identifiers')
    if data.get("license") == "other" and not data.get("license_name"):
        problems.append('"license_name" is required where the license is other')
    for key in ("tags", "datasets", "language"):
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            problems.append(f'"{key}" must be a list of strings')
    for model in data.get("model-index", []):
        for result in model["results"]:
            if not {"type"} <= result["task"].keys() or not {"type", "name"} <= result["dataset"].keys():
                problems.append('"model-index" results need task.type, dataset.type and dataset.name')
            if not all("value" in metric and "type" in metric for metric in result["metrics"]):
                problems.append('"model-index" metrics need type and value')
    return problems
