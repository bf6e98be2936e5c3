"""Endpoints of the stand-in that change repositories: create, branch, preupload, LFS, commit."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from stand_in_state import git_oid, is_lfs
from stand_in_transport import Transport


class Writing(Transport):
    """All of them need the token."""

    def create(self) -> None:
        if not self.writer():
            return
        content = json.loads(self.body)
        name = f"{content['organization']}/{content['name']}" if content.get("organization") else content["name"]
        if name in self.hub.repositories:
            self.answer(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"})
            return
        self.hub.commit(name, {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
        self.hub.repositories[name].private = bool(content.get("private")) or content.get("visibility") == "private"
        self.answer(200, {"url": f"{self.hub.url}/{name}", "name": name, "id": "0" * 24})

    def branch(self, name: str, branch: str) -> None:
        if not self.writer():
            return
        found = self.hub.repositories[name]
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
        objects, content = [], json.loads(self.body)
        if "xet" in content.get("transfers", ()):  # huggingface_hub before 1.0 asks, later ones do not
            plain = [{"oid": entry["oid"], "size": entry["size"]} for entry in content["objects"]]
            self.answer(200, {"transfer": "xet", "objects": plain})
            return
        for entry in content["objects"]:
            made: dict[str, Any] = {"oid": entry["oid"], "size": entry["size"]}
            if entry["oid"] not in self.hub.blobs:
                made["actions"] = {
                    "upload": {"href": f"{self.hub.url}/upload/{entry['oid']}", "header": {}},
                    "verify": {"href": f"{self.hub.url}/verify/{entry['oid']}", "header": {}},
                }
            objects.append(made)
        self.answer(200, {"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        if self.fault is not None and self.fault.kind == "corrupt":
            self.body = self.body[:-1] + bytes([self.body[-1] ^ 1])
        if hashlib.sha256(self.body).hexdigest() != oid:
            self.answer(400, {"error": "content does not match its sha256"})
            return
        self.hub.blobs[oid] = self.body
        self.answer(200)

    def verify(self, oid: str) -> None:
        size = json.loads(self.body)["size"]
        known = oid in self.hub.blobs and len(self.hub.blobs[oid]) == size
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
                    if value["oid"] not in self.hub.blobs:
                        self.answer(400, {"error": f"no LFS object {value['oid']}"})
                        return
                    files[value["path"]] = self.hub.blobs[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        oid = self.hub.commit(name, files, revision)
        self.answer(
            200,
            {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "hookOutput": ""},
        )
