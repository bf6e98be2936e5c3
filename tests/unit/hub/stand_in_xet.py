"""Endpoints of the stand-in that speak Xet: tokens of a repository, and the content-addressed storage behind it.

The real client (hf_xet) chunks, compresses and hashes; this keeps what it sends, gives it back by byte ranges, and
shows every uploaded file to the other endpoints too. Files that came another way have no Xet hash, as on the Hub.
"""

from __future__ import annotations

import hashlib
import re
import time

from stand_in_transport import Transport
from xet_objects import Term, XetFile, chunk_offsets, chunks, files_of_shard

LIFETIME_S = 3600


class Xet(Transport):
    """Below ``/cas`` the storage; the Hub's part is two kinds of tokens."""

    def xet_token(self, name: str, kind: str, revision: str) -> None:
        if (kind == "write" and not self.writer()) or self.at(name, revision) is None:
            return
        expires = int(time.time()) + LIFETIME_S
        token, cas = f"xet-{kind}-{self.hub.token[-8:]}", f"{self.hub.url}/cas/{self.hub.storage}"
        self.answer(
            200, {"accessToken": token, "exp": expires, "casUrl": cas},
            X_Xet_Cas_Url=cas, X_Xet_Access_Token=token, X_Xet_Token_Expiration=str(expires),
        )  # fmt: skip

    def bearer(self, *kinds: str) -> bool:
        """Whether the request has a token of one of these kinds; answered where not."""
        allowed = [f"Bearer xet-{kind}-{self.hub.token[-8:]}" for kind in kinds]
        if self.headers.get("Authorization") not in allowed:
            self.answer(401, {"error": "invalid Xet token"})
        return self.headers.get("Authorization") in allowed

    def known_chunk(self, name: str) -> None:
        """Global deduplication: never known, so that everything is sent."""
        if self.bearer("read", "write"):
            self.answer(404, {"error": "unknown chunk"})

    def take_xorb(self, name: str) -> None:
        if not self.bearer("write"):
            return
        new = name not in self.hub.xorbs
        self.hub.xorbs[name] = self.body
        self.answer(200, {"was_inserted": new})

    def take_shard(self) -> None:
        if not self.bearer("write"):
            return
        for file in files_of_shard(self.body):
            if any(term.xorb not in self.hub.xorbs for term in file.terms):
                self.answer(400, {"error": "the shard names a xorb that was not uploaded"})
                return
            content = b"".join(b"".join(chunks(self.hub.xorbs[term.xorb], term)) for term in file.terms)
            if hashlib.sha256(content).hexdigest() != file.sha256 or len(content) != file.size:
                self.answer(400, {"error": "content does not match its sha256"})
                return
            self.hub.blobs[file.sha256] = content
            self.hub.xet_files[file.name] = file
            self.hub.xet_names[file.sha256] = file.name
        self.answer(200, {"result": 1})

    def reconstruction(self, name: str) -> None:
        """Which chunks of which xorbs make a file, or a range of it, and where they are fetched."""
        if not self.bearer("read", "write"):
            return
        file = self.hub.xet_files.get(name)
        if file is None:
            self.answer(404, {"error": "unknown file"})
            return
        start, end = 0, file.size - 1
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or ""):
            start, end = int(asked[1]), min(int(asked[2]), end)
        if start >= file.size:
            self.answer(416, {"error": "range not satisfiable"})
            return
        offset, terms = terms_between(file, start, end)
        xorbs: dict[str, list[object]] = {}
        for term in terms:
            offsets = chunk_offsets(self.hub.xorbs[term.xorb])
            span = {"start": offsets[term.start], "end": offsets[term.end] - 1}
            ranges = [{"chunks": {"start": term.start, "end": term.end}, "bytes": span}]
            xorbs.setdefault(term.xorb, []).append({"url": f"{self.hub.url}/xorb/{term.xorb}", "ranges": ranges})
        listed = [
            {"hash": term.xorb, "unpacked_length": term.length, "range": {"start": term.start, "end": term.end}}
            for term in terms
        ]
        self.answer(200, {"offset_into_first_range": offset, "terms": listed, "xorbs": xorbs})

    def give_xorb(self, name: str) -> None:
        """A byte range of a xorb; the address is as good as a signature."""
        self.send_content(self.hub.xorbs[name], {})


def terms_between(file: XetFile, start: int, end: int) -> tuple[int, list[Term]]:
    """The terms that hold these bytes of a file (``end`` included), and how far into the first of them they begin."""
    at, offset, terms = 0, 0, []
    for term in file.terms:
        if at <= end and at + term.length > start:
            if not terms:
                offset = start - at
            terms.append(term)
        at += term.length
    return offset, terms
