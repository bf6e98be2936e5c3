"""How the stand-in of the Hub takes requests and answers them, with faults on request."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from stand_in_state import HubState, Repository


class Transport(BaseHTTPRequestHandler):
    """One request; subclasses have the endpoints, `routes` says which is meant."""

    protocol_version = "HTTP/1.1"
    hub: HubState
    routes: Sequence[tuple[str, str, str]] = ()
    """Methods, pattern of the path, name of the endpoint."""

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
        fault = self.hub.fault_for(method, path)
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
        for verb, pattern, name in self.routes:
            match = re.fullmatch(pattern, path)
            if match and method in verb.split():
                getattr(self, name)(*match.groups())
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
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def writer(self) -> bool:
        if not self.authorised():
            self.answer(401, {"error": "Invalid credentials"})
        return self.authorised()

    def repository(self, name: str) -> Repository | None:
        found = self.hub.repositories.get(name)
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

    def send_content(self, content: bytes, headers: dict[str, str]) -> None:
        status, fault = 200, self.fault
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            last = min(int(asked[2]), len(content) - 1) if asked[2] else len(content) - 1
            headers["Content-Range"] = f"bytes {asked[1]}-{last}/{len(content)}"
            status, content = 206, content[int(asked[1]) : last + 1]
        if fault is not None and fault.kind == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
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
