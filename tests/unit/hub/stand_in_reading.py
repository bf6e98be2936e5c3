"""Endpoints of the stand-in that read: what there is at a revision, listings in pages, files with their hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stand_in_cards import card_problems
from stand_in_state import TREE_PAGE, git_oid, is_lfs
from stand_in_transport import Transport


class Reading(Transport):
    """Revisions, references, trees, files; cards and tokens are checked."""

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
        private = self.hub.repositories[name].private
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
        here = f"{self.hub.url}{urlsplit(self.path).path}"
        more = {"Link": f'<{here}?recursive=True&cursor={end}>; rel="next"'} if end < len(entries) else {}
        self.answer(200, entries[start:end], **more)

    def resolve_dataset(self, name: str, revision: str, path: str) -> None:
        self.resolve(f"datasets/{name}", revision, path)

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
        if digest in self.hub.xet_names:
            token = f"{self.hub.url}/api/models/{name}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": self.hub.xet_names[digest], "Link": f'<{token}>; rel="xet-auth"'}
        self.send_content(content, headers)
