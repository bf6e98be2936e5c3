"""A Hub on localhost that serves small Parquet repositories to the real `datasets.load_dataset`.

Only what loading needs: repository facts, file trees, paths, and files with ETag and commit. Repositories have
branches, so the converted branch of a repository with a loading script can be served as the Hub does.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = dict[str, bytes]


def parquet(rows: list[dict[str, Any]], classes: dict[str, list[str]] | None = None) -> bytes:
    """Rows as the Hub's Parquet: label names travel in the schema's metadata.

    Args:
        classes: column -> label names, for ids and for lists of ids.
    """
    import datasets

    table = datasets.Dataset.from_list(rows)
    for column, names in (classes or {}).items():
        label = datasets.ClassLabel(names=names)
        listed = isinstance(rows[0][column], list)
        table = table.cast_column(column, datasets.List(label) if listed else label)
    target = io.BytesIO()
    table.to_parquet(target)
    return target.getvalue()


class DatasetHub:
    """Serves ``repositories[name][branch]``, a mapping of paths to bytes."""

    def __init__(self, repositories: dict[str, dict[str, Files]]) -> None:
        self.repositories = repositories
        self.requests: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> DatasetHub:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def commit_of(self, name: str, branch: str) -> str:
        files = self.repositories[name][branch]
        return hashlib.sha1(json.dumps([name, branch, sorted(files)]).encode()).hexdigest()

    def find(self, name: str, revision: str) -> tuple[str, Files] | None:
        """Commit and files of a branch or commit."""
        for branch, files in self.repositories.get(name, {}).items():
            commit = self.commit_of(name, branch)
            if revision in (branch, commit):
                return commit, files
        return None


def _entry(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "oid": oid, "size": len(content), "path": path}


def _handler(hub: DatasetHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.answer()

        def do_HEAD(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode() if size else ""
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            hub.requests.append(f"{self.command} {path}")
            steps = path.strip("/").split("/")
            if steps[:2] == ["api", "datasets"] and len(steps) >= 4:
                self.api("/".join(steps[2:4]), steps[4:], body)
            elif steps[:1] == ["datasets"] and len(steps) > 5 and steps[3] == "resolve":
                self.resolve("/".join(steps[1:3]), steps[4:])
            else:
                self.fail()

        def split(self, name: str, steps: list[str]) -> tuple[str, Files, str] | None:
            """Commit, files and the rest of the path; branch names may hold slashes."""
            for length in (1, 3):
                found = hub.find(name, "/".join(steps[:length]))
                if found is not None:
                    return found[0], found[1], "/".join(steps[length:])
            return None

        def api(self, name: str, steps: list[str], body: str) -> None:
            if name not in hub.repositories:
                self.fail("RepoNotFound")
                return
            kind, rest = (steps[0], steps[1:]) if steps else ("revision", ["main"])
            found = self.split(name, rest)
            if found is None:
                self.fail("RevisionNotFound")
                return
            commit, files, tail = found
            if kind == "revision":
                siblings = [{"rfilename": path} for path in sorted(files)]
                self.json({"id": name, "sha": commit, "siblings": siblings, "private": False, "gated": False,
                           "disabled": False, "tags": [], "downloads": 0, "likes": 0})  # fmt: skip
            elif kind == "tree":
                inside = {p: c for p, c in files.items() if not tail or p.startswith(f"{tail}/")}
                if tail and not inside:
                    self.fail("EntryNotFound")
                    return
                folders = sorted({p[:i] for p in inside for i, sign in enumerate(p) if sign == "/" and i > len(tail)})
                recursive = "true" in parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower()
                depth = tail.count("/") + 2 if tail else 1
                listed: list[dict[str, Any]] = [
                    {"type": "directory", "oid": "0" * 40, "size": 0, "path": f} for f in folders
                ]
                listed += [_entry(path, content) for path, content in sorted(inside.items())]
                self.json([e for e in listed if recursive or e["path"].count("/") < depth])
            elif kind == "paths-info":
                fields = parse_qs(body)
                wanted = fields["paths"] if "paths" in fields else json.loads(body)["paths"]
                listed = [_entry(path, files[path]) for path in wanted if path in files]
                listed += [
                    {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
                    for path in wanted if path not in files and any(p.startswith(f"{path}/") for p in files)
                ]  # fmt: skip
                self.json(listed)
            else:
                self.fail()

        def resolve(self, name: str, steps: list[str]) -> None:
            found = self.split(name, steps)
            if found is None or found[2] not in found[1]:
                self.fail("EntryNotFound")
                return
            content = found[1][found[2]]
            start = 0
            if (wanted := self.headers.get("Range")) and wanted.startswith("bytes="):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, stop = int(first), int(last) + 1 if last else len(content)
                part = content[start:stop]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(content)}")
            else:
                part = content
                self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", found[0])
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(part)

        def json(self, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def fail(self, code: str = "") -> None:
            self.send_response(404)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
