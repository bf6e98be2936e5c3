"""What the Xet protocol stores, as far as a server must read it: xorbs (compressed chunks) and shards (lists of files).

Formats as the Hub documents them (huggingface.co/docs/xet: xorb, shard, api). Hashes are never computed here: the
client's are taken as names, and whole files are compared by their sha256.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

ENTRY = 48
"""Bytes of the header of a shard and of each of its entries."""

BOOKEND = b"\xff" * 32
WITH_VERIFICATION, WITH_SHA256 = 1 << 31, 1 << 30
CHUNK_HEADER = 8
STORED, LZ4, GROUPED_LZ4 = range(3)


@dataclass(frozen=True)
class Term:
    """A run of chunks of one xorb; ``end`` is exclusive, ``length`` counts bytes of the file."""

    xorb: str
    length: int
    start: int
    end: int


@dataclass(frozen=True)
class XetFile:
    """One file of a shard: the client's hash, the terms in order, the sha256 of the whole."""

    name: str
    terms: tuple[Term, ...]
    sha256: str

    @property
    def size(self) -> int:
        return sum(term.length for term in self.terms)


def hash_text(raw: bytes) -> str:
    """32 bytes of a hash as the protocol writes them: four little-endian numbers."""
    return "".join(f"{int.from_bytes(raw[i : i + 8], 'little'):016x}" for i in range(0, 32, 8))


def files_of_shard(shard: bytes) -> list[XetFile]:
    """All files that a shard describes."""
    files, at = [], ENTRY
    while (head := shard[at : at + ENTRY])[:32] != BOOKEND:
        flags, count = (int.from_bytes(head[i : i + 4], "little") for i in (32, 36))
        entries = [shard[at + ENTRY * (1 + i) : at + ENTRY * (2 + i)] for i in range(count)]
        at += ENTRY * (1 + count * (2 if flags & WITH_VERIFICATION else 1))
        sha256 = ""
        if flags & WITH_SHA256:
            # Kept in the order of the protocol's own hashes: as text it is the usual sha256.
            sha256, at = hash_text(shard[at : at + 32]), at + ENTRY
        files.append(XetFile(hash_text(head[:32]), tuple(map(term_of, entries)), sha256))
    return files


def term_of(entry: bytes) -> Term:
    length, start, end = (int.from_bytes(entry[i : i + 4], "little") for i in (36, 40, 44))
    return Term(hash_text(entry[:32]), length, start, end)


def chunk_offsets(xorb: bytes) -> list[int]:
    """Where each chunk of a xorb begins, and where the last one ends; what may follow them is no chunk."""
    offsets = [0]
    while offsets[-1] + CHUNK_HEADER <= len(xorb) and xorb[offsets[-1]] == 0:
        size = int.from_bytes(xorb[offsets[-1] + 1 : offsets[-1] + 4], "little")
        offsets.append(offsets[-1] + CHUNK_HEADER + size)
    return offsets


def chunks(xorb: bytes, term: Term) -> Iterator[bytes]:
    """The content of a term's chunks."""
    offsets = chunk_offsets(xorb)
    for start, end in zip(offsets[term.start : term.end], offsets[term.start + 1 : term.end + 1], strict=True):
        head, packed = xorb[start : start + CHUNK_HEADER], xorb[start + CHUNK_HEADER : end]
        size = int.from_bytes(head[5:8], "little")
        if head[4] == STORED:
            yield packed
            continue
        raw = pa.decompress(packed, decompressed_size=size, codec="lz4", asbytes=True)
        yield ungrouped(raw) if head[4] == GROUPED_LZ4 else raw


def ungrouped(data: bytes) -> bytes:
    """Bytes that were sorted by their position in groups of four, in their order again."""
    grouped, result, at = np.frombuffer(data, np.uint8), np.empty(len(data), np.uint8), 0
    for position in range(4):
        count = len(result[position::4])
        result[position::4] = grouped[at : at + count]
        at += count
    return result.tobytes()
