"""What the stand-in of the Hub knows: repositories, uploaded blobs and xorbs, collections, and faults to come."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from xet_objects import XetFile

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


class HubState:
    """Everything the endpoints read and change."""

    token = "hf_" + "standin" * 5
    url = ""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.xorbs: dict[str, bytes] = {}
        self.xet_files: dict[str, XetFile] = {}
        self.xet_names: dict[str, str] = {}  # sha256 of a file -> its name there
        # hf_xet remembers by address what a storage has, and a port may be another server's the next minute.
        self.storage = secrets.token_hex(8)
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()

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
